import { open } from "node:fs/promises";

import { systemErrorCode } from "@ovault/core";

/** What file systems answer that cannot flush a directory (SMB): they write names through, there is nothing to flush. */
const CANNOT_FLUSH = new Set(["EINVAL", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"]);

/** Makes the names in a directory durable. */
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
