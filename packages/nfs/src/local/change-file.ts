import { lstat, lutimes, type FileHandle } from "node:fs/promises";

import type { AttributeChange, FileTime } from "../nfs-file-system.ts";

/** Changes an open file, durably. */
export async function changeFile(handle: FileHandle, change: AttributeChange): Promise<void> {
  const { mode, bytes, uid, gid, accessedAt, modifiedAt } = change;
  if (bytes !== undefined) await handle.truncate(Number(bytes));
  if (uid !== undefined || gid !== undefined) {
    const now = await handle.stat();
    await handle.chown(uid ?? now.uid, gid ?? now.gid);
  }
  // Giving a file away clears bits of its mode.
  if (mode !== undefined) await handle.chmod(mode);
  if (accessedAt !== undefined || modifiedAt !== undefined) {
    const now = await handle.stat();
    await handle.utimes(seconds(accessedAt, now.atimeMs), seconds(modifiedAt, now.mtimeMs));
  }
  await handle.sync();
}

/** A link has times and nothing else that can be set. */
export async function changeLink(path: string, { accessedAt, modifiedAt }: AttributeChange): Promise<void> {
  if (accessedAt === undefined && modifiedAt === undefined) return;
  const now = await lstat(path);
  await lutimes(path, seconds(accessedAt, now.atimeMs), seconds(modifiedAt, now.mtimeMs));
}

/** In the unit of `utimes`. */
function seconds(time: FileTime | "now" | undefined, presentMs: number): number {
  if (time === undefined) return presentMs / 1_000;
  return time === "now" ? Date.now() / 1_000 : time.seconds + time.nanoseconds / 1e9;
}
