import { constants } from "node:fs";
import { open } from "node:fs/promises";

import { systemErrorCode } from "@ovault/contract";

import type { FileAttributes } from "../nfs-file-system.ts";
import { changeFile } from "./change-file.ts";

/** Mode of a file whose maker was killed before it kept the verifier. Nothing else makes such a file. */
const UNFINISHED = 0o1600;

/**
 * Makes a file, unless its client made it before and missed the answer. The verifier is kept in the times of the new
 * file, which its client sets anew when it has the answer.
 * @throws EEXIST when another file has the name
 */
export async function createExclusively(
  path: string,
  { verifier, mode, look }: { verifier: Uint8Array; mode: number; look: (path: string) => Promise<FileAttributes> },
): Promise<void> {
  const view = Buffer.from(verifier);
  const times = {
    accessedAt: { seconds: view.readUInt32BE(0) >>> 1, nanoseconds: 0 },
    modifiedAt: { seconds: view.readUInt32BE(4) >>> 1, nanoseconds: 0 },
  };
  const flags = constants.O_RDWR | constants.O_NOFOLLOW;
  try {
    await using handle = await open(path, flags | constants.O_CREAT | constants.O_EXCL, UNFINISHED);
    await changeFile(handle, times);
    await changeFile(handle, { mode });
  } catch (error) {
    if (systemErrorCode(error) !== "EEXIST") throw error;
    const found = await look(path);
    if (found.type === "file" && found.mode === UNFINISHED && found.bytes === 0n) {
      await using handle = await open(path, flags);
      await changeFile(handle, times);
      await changeFile(handle, { mode });
      return;
    }
    const isOurs =
      found.accessedAt.seconds === times.accessedAt.seconds && found.modifiedAt.seconds === times.modifiedAt.seconds;
    if (!isOurs || found.accessedAt.nanoseconds !== 0 || found.modifiedAt.nanoseconds !== 0) throw error;
  }
}
