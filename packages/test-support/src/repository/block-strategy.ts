import type {
  Assessment,
  BackupRequest,
  HeldInstant,
  RestoreSession,
  Strategy,
  VirtualMachine,
} from "@ovault/contract";
import { sourceOf } from "@ovault/testkit";

import { blockDisk, blocksOf } from "./block-disk.ts";

/** Takes machines of blocks, as they say themselves what they hold. Makes nothing on its platform. */
export class BlockStrategy implements Strategy {
  readonly name = "blocks";
  readonly #tracks: boolean;

  /** With `tracks` it reports unchanged blocks, which are not read. */
  constructor(tracks: boolean) {
    this.#tracks = tracks;
  }

  async assess(vm: VirtualMachine): Promise<Assessment> {
    return { disks: vm.disks.map(({ id }) => ({ diskId: id, verdict: "incremental", reason: "a test" })) };
  }

  async takeInstant({ vm, disks, base, full }: BackupRequest): Promise<HeldInstant> {
    const before = full || base === undefined ? undefined : blocksOf(base.vm);
    const disk = blockDisk(blocksOf(vm), this.#tracks ? before : undefined);
    const mode = before === undefined ? "full" : this.#tracks ? "incremental" : "compared";
    return {
      documents: [],
      consistency: "crash",
      open: async () => disks.map(({ id }) => sourceOf(disk, { id, mode })),
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
