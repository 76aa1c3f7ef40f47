import { isObjectKey, type ObjectInfo, StoreError } from "@ovault/contract";

import type { NamedFile } from "./read-directory.ts";

/** Most names in memory, over all levels. A repository of 100 TiB has 25,000 in its largest folder. */
const MOST_NAMES = 250_000;

/** Reads the directory of a prefix, in any order; empty when it is gone. */
export type ReadNames = (
  prefix: string,
  options: { readonly limit: number; readonly wanted: (name: string) => boolean },
) => Promise<readonly NamedFile[]>;

/**
 * The objects whose keys begin with `prefix`, in ascending order of key. Holds the names of one directory of each level
 * at a time. Skips what is neither an object nor a directory of objects (drafts, hidden files, links).
 */
export async function* listTree(read: ReadNames, prefix: string, held = 0): AsyncGenerator<ObjectInfo> {
  const found = await read(prefix, {
    limit: MOST_NAMES - held,
    wanted: (name) => !name.includes("/") && isObjectKey(prefix + name),
  });
  const sorted = found.filter(({ file }) => file.kind !== "other").toSorted(byKey);
  let last = "";
  for (const { name, file } of sorted) {
    if (name === last) throw new StoreError(`the server lists ${prefix}${name} twice`);
    last = name;
    if (file.kind === "file") yield { key: prefix + name, bytes: file.bytes };
    else yield* listTree(read, `${prefix}${name}/`, held + found.length);
  }
}

/** Sorts directories as the keys in them: `a-b` and `a.b` before `a/b`. */
function byKey(a: NamedFile, b: NamedFile): number {
  return sortedName(a) < sortedName(b) ? -1 : 1;
}

function sortedName({ name, file }: NamedFile): string {
  return file.kind === "directory" ? `${name}/` : name;
}
