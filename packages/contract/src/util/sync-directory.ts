import { open } from "node:fs/promises";

import { systemErrorCode } from "./system-error.ts";

/** Codes of file systems that cannot flush a directory (SMB): they write names through, so nothing is lost. */
const CANNOT_FLUSH = new Set(["EINVAL", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"]);

/** Makes the names in a directory survive a power cut: files made, renamed or removed in it. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, "r");
  try {
    await handle.sync();
  } catch (error) {
    if (!CANNOT_FLUSH.has(systemErrorCode(error) ?? "")) throw error;
  } finally {
    await handle.close();
  }
}
