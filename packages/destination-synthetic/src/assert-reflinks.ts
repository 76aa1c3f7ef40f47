import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { StoreError, systemErrorCode } from "@ovault/contract";
import { mapSystemError, newDraftName, removeDraft } from "@ovault/destination-filesystem";

import { cloneFile } from "./clone-file.ts";

/** What file systems without reflinks answer: ext4, tmpfs and NFS before 4.2 among them. */
const NO_REFLINKS = new Set(["ENOTSUP", "EOPNOTSUPP", "ENOTTY", "ENOSYS", "EINVAL", "EXDEV", "EPERM"]);

/** Clones a file in this directory. @throws StoreError when the file system has no reflinks */
export async function assertReflinks(directory: string): Promise<void> {
  const source = join(directory, newDraftName());
  const clone = `${source}~clone`;
  try {
    await writeFile(source, "ovault", { flag: "wx", mode: 0o600 });
    await cloneFile(source, clone);
  } catch (error) {
    const errno = systemErrorCode(error) ?? "";
    if (!NO_REFLINKS.has(errno) || isWriting(error)) {
      throw await mapSystemError(error, { root: directory, what: "clone a file" });
    }
    throw new StoreError(`the file system of ${directory} cannot share blocks between files (no reflinks)`, {
      cause: error,
      context: { directory, errno },
      hint: "Use XFS (mkfs.xfs enables reflinks by default) or btrfs for a synthetic destination, or `type: filesystem`, which needs none.",
    });
  } finally {
    await removeDraft(clone);
    await removeDraft(source);
  }
}

/** It was not the clone that failed. */
function isWriting(error: unknown): boolean {
  return error instanceof Error && "syscall" in error && error.syscall !== "copyfile";
}
