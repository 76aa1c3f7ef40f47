import type { RestoredVirtualMachine } from "@ovault/contract";
import type { DiskLosses } from "@ovault/core";

/** A restored machine as `--json` shows it. Sizes in bytes. */
export interface RestoredVm {
  readonly point: string;
  readonly vm: RestoredVirtualMachine;
  readonly manager: string;
  readonly runId: string;
  readonly doneBytes: number;
  readonly writtenBytes: number;
  /** Empty unless something could not be read, which only a restore with `salvage` accepts. */
  readonly lost: readonly DiskLosses[];
  /** What the new machine lacks, or how it differs from the point. */
  readonly warnings: readonly string[];
  readonly elapsedMs: number;
}

/** A disk restored to a file or a stream, as `--json` shows it. Sizes in bytes. */
export interface RestoredDisk {
  readonly point: string;
  readonly disk: { readonly id: string; readonly alias: string };
  readonly file: string;
  readonly format: "raw" | "qcow2";
  readonly doneBytes: number;
  readonly writtenBytes: number;
  /** Empty unless something could not be read, which only a restore with `salvage` accepts. */
  readonly lost: readonly DiskLosses[];
  readonly elapsedMs: number;
}
