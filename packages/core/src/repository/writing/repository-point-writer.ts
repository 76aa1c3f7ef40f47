import type { DiskRecord, DiskSource, RecoveryPoint, VirtualMachine } from "@ovault/contract";
import { type ClaimedPoint, claimPoint, type ManifestPlace } from "../../points/claim-point.ts";
import type { BeginPointOptions, PointWriter, TakeDisksOptions } from "../../points/point-writer.ts";
import type { Lease } from "../../leases/lease.ts";
import type { ChunkWriter } from "../chunks/chunk-writer.ts";
import type { PackKind } from "../packs/pack-format.ts";
import type { BlockMaps } from "../reading/block-maps.ts";
import { backupDisks } from "./backup-disks.ts";

/** What a repository does for the runs that write to it. */
export interface WritableRepository extends ManifestPlace, BlockMaps {
  readonly blockBytes: number;
  tryCodec(): Promise<void>;
  announce(lease: Lease, signal: AbortSignal): Promise<void>;
  writer(signal: AbortSignal, anew: readonly PackKind[], runId: string): ChunkWriter;
}

/** Writes the disks of a point as chunks, beside other runs and beside prune. */
export class RepositoryPointWriter implements PointWriter {
  readonly id: string;
  readonly signal: AbortSignal;
  readonly #repository: WritableRepository;
  readonly #lease: ClaimedPoint["lease"];

  private constructor(repository: WritableRepository, { id, lease }: ClaimedPoint, signal: AbortSignal) {
    this.id = id;
    this.signal = AbortSignal.any([signal, lease.signal]);
    this.#repository = repository;
    this.#lease = lease;
  }

  static async begin(
    repository: WritableRepository,
    vm: VirtualMachine,
    options: BeginPointOptions,
  ): Promise<RepositoryPointWriter> {
    await repository.tryCodec();
    const writer = new RepositoryPointWriter(repository, await claimPoint(repository, vm, options), options.signal);
    try {
      // From here on prune deletes nothing that this run relies on.
      await repository.announce(writer.#lease, writer.signal);
      return writer;
    } catch (error) {
      await writer.release();
      throw error;
    }
  }

  async takeDisks(sources: readonly DiskSource[], { anew, ...options }: TakeDisksOptions): Promise<DiskRecord[]> {
    const { signal } = this;
    const repository = this.#repository;
    const writer = repository.writer(signal, anew ? ["pages"] : [], this.#lease.runId);
    try {
      const disks = await backupDisks(sources, { ...options, repository, writer, signal });
      await writer.finish();
      return disks;
    } catch (error) {
      await writer.idle();
      throw error;
    }
  }

  async seal(point: RecoveryPoint): Promise<void> {
    await this.#lease.seal((signal) => this.#repository.points.seal(point, signal), this.signal);
  }

  async release(): Promise<void> {
    await this.#lease.release();
  }
}
