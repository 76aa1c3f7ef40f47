import { layOut } from "@ovault/cli/internal/output/layout";
import { table } from "@ovault/cli/internal/output/view";
import { formatBytes } from "@ovault/operations/internal/text/format";

/** One step of the demo. Sizes in bytes. */
export interface Step {
  readonly name: string;
  readonly logicalBytes: number;
  /** Bytes read from the disk; `undefined` for restores. */
  readonly readBytes?: number;
  /** Bytes added to the repository; `undefined` for restores. */
  readonly storedBytes?: number;
  readonly elapsedMs: number;
  /** Whether every byte equals QEMU's view; `undefined` for backups. */
  readonly identical?: boolean;
}

/** The steps as a table; the ratio is bytes read for each byte stored. */
export function reportOf(steps: readonly Step[]): string {
  const rows = steps.map(({ name, logicalBytes, readBytes, storedBytes, elapsedMs, identical }) => [
    name,
    formatBytes(logicalBytes),
    readBytes === undefined ? "" : formatBytes(readBytes),
    storedBytes === undefined ? "" : formatBytes(storedBytes),
    `${(elapsedMs / 1000).toFixed(1)} s`,
    readBytes === undefined || storedBytes === undefined ? "" : (readBytes / Math.max(1, storedBytes)).toFixed(2),
    identical === undefined ? "" : identical ? "identical" : "DIFFERENT",
  ]);
  return layOut([table(["step", ">logical", ">read", ">stored", ">time", ">ratio", "every byte"], rows, "")]);
}
