import type {
  Assessment,
  BackupRequest,
  BackupSession,
  RestoreSession,
  RunContext,
  Strategy,
  VirtualMachine,
} from "@ovault/core";
import { sourceOf } from "@ovault/testkit";

import { blockDisk } from "./block-disk.ts";

/** What the disk of every run was, by the run's id. */
export type RunHistory = Map<string, Uint8Array>;

/** Takes one disk of blocks, incrementally where the history tells what the base was. Makes nothing on its platform. */
export class BlockStrategy implements Strategy {
  readonly name = "blocks";
  readonly #history: RunHistory;
  readonly #blocks: readonly number[];
  readonly #tracks: boolean;

  /** With `tracks` unchanged blocks are told, and not read. */
  constructor(history: RunHistory, blocks: readonly number[], tracks: boolean) {
    this.#history = history;
    this.#blocks = blocks;
    this.#tracks = tracks;
  }

  async assess(vm: VirtualMachine): Promise<Assessment> {
    return { disks: vm.disks.map(({ id }) => ({ diskId: id, verdict: "incremental", reason: "a test" })) };
  }

  async openBackup({ disks, base, full }: BackupRequest, { runId }: RunContext): Promise<BackupSession> {
    const before = full || base === undefined ? undefined : this.#history.get(base.runId);
    const disk = blockDisk(this.#blocks, this.#tracks ? before : undefined);
    this.#history.set(runId, disk.bytes);
    const mode = before === undefined ? "full" : this.#tracks ? "incremental" : "compared";
    return {
      documents: [],
      consistency: "crash",
      disks: disks.map(({ id }) => sourceOf(disk, { id, mode })),
      close: async () => ({ bases: new Map(disks.map(({ id }) => [id, {}])) }),
      retire: async () => undefined,
    };
  }

  async planRestore(): Promise<{ steps: string[]; warnings: string[] }> {
    return { steps: [], warnings: [] };
  }

  async openRestore(): Promise<RestoreSession> {
    throw new Error("this strategy only backs up");
  }

  async leftovers(): Promise<[]> {
    return [];
  }
}
