/** A server's attributes of one name. Links are not followed. */
export interface RemoteFile {
  readonly kind: "file" | "directory" | "other";
  readonly bytes: number;
  /** By the server's clock, in seconds since 1970. */
  readonly modifiedSeconds: number;
}

/** Attributes as received: any may be missing, and none is trusted. */
interface Attributes {
  readonly mode?: unknown;
  readonly size?: unknown;
  readonly mtime?: unknown;
}

const TYPE_BITS = 0o170000;
const KINDS: ReadonlyMap<number, RemoteFile["kind"]> = new Map([
  [0o100000, "file"],
  [0o040000, "directory"],
]);

/** `undefined` when the answer lacks a field, or the size is absurd. */
export function remoteFile({ mode, size, mtime }: Attributes): RemoteFile | undefined {
  if (typeof mode !== "number") return undefined;
  const kind = KINDS.get(mode & TYPE_BITS) ?? "other";
  const bytes = typeof size === "number" && Number.isSafeInteger(size) && size >= 0 ? size : undefined;
  if (bytes === undefined && kind === "file") return undefined;
  return { kind, bytes: bytes ?? 0, modifiedSeconds: typeof mtime === "number" ? mtime : 0 };
}
