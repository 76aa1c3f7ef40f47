import { UsageError } from "@ovault/contract";
import {
  Installation,
  restoreDiskTo,
  runRestoreDisk,
  type DiskOutput,
  type RestoredDisk,
  type RestoreDiskJob,
} from "@ovault/operations";

import type { CommandContext } from "../command.ts";

/** Stands for stdout in place of a path. */
const STDOUT = "-";

/** Restores one disk to a file, or raw to stdout from its first byte to its last; then everything else goes to stderr. */
export async function restoreToFile(context: CommandContext, job: RestoreDiskJob): Promise<RestoredDisk> {
  const output = job.toFile === STDOUT ? claimStdout(context, job) : undefined;
  await using installation = await Installation.open(context);
  return await (output === undefined
    ? runRestoreDisk(installation, job, context)
    : restoreDiskTo(installation, job, output, context));
}

/** @throws UsageError when the disk cannot go to stdout */
function claimStdout({ terminal }: CommandContext, { format = "raw" }: RestoreDiskJob): DiskOutput {
  if (format !== "raw") {
    throw new UsageError("a QCOW2 image cannot be written to a pipe: its tables are known when all data is written", {
      hint: "Write it to a file, or take --format raw.",
    });
  }
  if (process.stdout.isTTY) {
    throw new UsageError("stdout is a terminal, and a disk is no text", {
      hint: "Redirect it, for example: --to-file - | gzip > disk.raw.gz",
    });
  }
  terminal.leaveOutput();
  return {
    file: STDOUT,
    format,
    open: async (diskId, logicalBytes) => {
      const { RawStreamTarget } = await import("@ovault/disk-image");
      return new RawStreamTarget({ stream: process.stdout, name: "stdout", diskId, logicalBytes });
    },
  };
}
