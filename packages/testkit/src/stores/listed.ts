import type { ObjectInfo, ObjectStore } from "@ovault/contract";

const never = new AbortController().signal;

/** What the store lists, in its order. */
export async function listed(store: ObjectStore, prefix = "", signal: AbortSignal = never): Promise<ObjectInfo[]> {
  const infos: ObjectInfo[] = [];
  for await (const info of store.list(prefix, { signal })) infos.push(info);
  return infos;
}

/** The keys the store lists, in its order. */
export async function keysOf(store: ObjectStore, prefix = "", signal: AbortSignal = never): Promise<string[]> {
  return (await listed(store, prefix, signal)).map((info) => info.key);
}
