import type { ObjectStore } from "@ovault/contract";
import type { Repository } from "@ovault/core";

const TRAILER_BYTES = 48;
const { signal } = new AbortController();

/**
 * What every object of a repository looks like, without what is random or of its time: its key, the first bytes, and the
 * type, version and keys of documents. Objects of one form are one line.
 */
export async function formOf(store: ObjectStore, repository: Repository): Promise<readonly string[]> {
  const lines = new Set<string>();
  for await (const info of store.list("", { signal })) {
    const asItLies = Buffer.from(await store.get(info.key, { signal }));
    const inside = Buffer.from(await repository.store.get(info.key, { signal }));
    const sealed = asItLies.equals(inside) ? "" : `sealed ${asItLies.toString("latin1", 0, 9)} `;
    const form = info.key.startsWith("packs/")
      ? packForm(asItLies)
      : inside.toString("latin1", 0, 7) === "ovault "
        ? documentForm(inside)
        : inside.toString("hex", 0, 9);
    lines.add(`${keyForm(info.key)}: ${sealed}${form}`);
  }
  return [...lines].toSorted();
}

function keyForm(key: string): string {
  return key
    .replaceAll(/\d{8}-\d{6}-[0-9a-f]{8}(?:-[0-9a-f]{8})?/g, "POINT")
    .replaceAll(/\b[0-9a-f]{32}\b/g, "HEX32")
    .replaceAll(/\b[0-9a-f]{16}\b/g, "HEX16")
    .replaceAll(/\/[0-9a-f]{2}\//g, "/HEX2/");
}

/** Header, number of entries, and what the trailer ends with. */
function packForm(pack: Buffer): string {
  const entries = pack.readUInt32LE(pack.byteLength - TRAILER_BYTES);
  return `${pack.toString("hex", 0, 16)} ${entries} entries ${pack.toString("latin1", pack.byteLength - 8)}`;
}

/** `point 1 { … }`: the paths of all values, with their types. */
function documentForm(document: Buffer): string {
  const header = document.toString("latin1", 0, document.indexOf("\n")).replace(/[0-9a-f]{64}$/, "HEX64");
  const value: unknown = JSON.parse(document.toString("utf8", document.indexOf("\n")));
  return `${header} ${[...new Set(pathsOf(value, ""))].toSorted().join(" ")}`;
}

function* pathsOf(value: unknown, path: string): Generator<string> {
  if (Array.isArray(value)) {
    for (const item of value) yield* pathsOf(item, `${path}[]`);
  } else if (typeof value === "object" && value !== null) {
    for (const [key, item] of Object.entries(value)) yield* pathsOf(item, `${path}.${key}`);
  } else {
    yield `${path}:${value === null ? "null" : typeof value}`;
  }
}
