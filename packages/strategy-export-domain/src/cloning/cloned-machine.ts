import type { Disk, LedgerHandle, RunLedger, VirtualMachine } from "@ovault/contract";
import { arrived, pending, runTag, wasRefused, type EngineApi } from "@ovault/ovirt";

import { ExportFailedError } from "../errors.ts";
import { removeClone } from "./remove-clone.ts";

export const CLONE = "clone";

const LOOKUP_DEADLINE_MS = 60_000;

export interface CloneWish {
  readonly api: EngineApi;
  readonly ledger: RunLedger;
  readonly vm: VirtualMachine;
  readonly clusterId: string;
  readonly snapshotId: string;
  readonly disks: readonly Disk[];
  /** Where its disks go; undefined: each where it is. */
  readonly storageDomainId: string | undefined;
}

/** A disk of a clone, as far as it tells which disk it is a copy of. */
export interface ClonedDisk {
  readonly id: string;
  readonly alias: string;
  readonly bytes: number | undefined;
  readonly bootable: boolean;
  readonly interface: string;
}

/** A machine that is a copy of a snapshot, with whole disks. The caller removes it, whatever happens to it. */
export class ClonedMachine {
  readonly id: string;
  readonly #wish: CloneWish;
  readonly #handle: LedgerHandle;

  /** Asks the engine for it. Leaves an entry in the ledger where the answer was lost. */
  static async request(wish: CloneWish, signal: AbortSignal): Promise<ClonedMachine> {
    const { ledger, vm } = wish;
    const tag = runTag(ledger.runId);
    const name = `ovault-${ledger.runId}`;
    const handle = await ledger.open({ kind: CLONE, title: `clone of ${vm.name}`, detail: { name, tag } });
    const { id } = await create(wish, { name, tag }, signal).catch(async (error: unknown) => {
      if (wasRefused(error, signal)) await handle.close();
      throw error;
    });
    const clone = new ClonedMachine(id, wish, handle);
    try {
      await handle.amend({ vmId: id });
    } catch (error) {
      await clone.remove(LOOKUP_DEADLINE_MS).catch(() => undefined);
      throw error;
    }
    return clone;
  }

  private constructor(id: string, wish: CloneWish, handle: LedgerHandle) {
    this.id = id;
    this.#wish = wish;
    this.#handle = handle;
  }

  /** Waits until the disks are copied. @throws ExportFailedError, DeadlineError */
  async ready(deadlineMs: number, signal: AbortSignal): Promise<void> {
    const { api, vm } = this.#wish;
    await api.wait(
      `the snapshot of ${vm.name} to be cloned`,
      async (pollSignal) => {
        const clone = await api.vms.find(this.id, pollSignal);
        if (clone === undefined) throw notCloned(vm);
        return clone.status === "down" ? arrived(undefined) : pending(clone.status);
      },
      { deadlineMs, signal, justAsked: true },
    );
  }

  async disks(signal: AbortSignal): Promise<readonly ClonedDisk[]> {
    const { api } = this.#wish;
    const attachments = await api.vms.diskAttachments(this.id, true, signal);
    return await Promise.all(
      attachments.map(async ({ diskId, bootable, interface: connection, disk }) => {
        const { alias, provisionedBytes } = disk ?? (await api.disks.get(diskId, signal));
        return { id: diskId, alias, bytes: provisionedBytes, bootable, interface: connection };
      }),
    );
  }

  /** Also its disks, also while the engine makes it. May be called again after it failed. */
  async remove(deadlineMs: number): Promise<void> {
    await removeClone(this.#wish.api, this.id, deadlineMs);
    await this.#handle.close();
  }
}

/** Looks a clone whose answer was lost or cancelled up by its name, instead of making a second one. */
async function create(
  { api, clusterId, snapshotId, disks, storageDomainId }: CloneWish,
  { name, tag }: { readonly name: string; readonly tag: string },
  signal: AbortSignal,
): Promise<{ readonly id: string }> {
  const placement = storageDomainId === undefined ? undefined : { diskIds: disks.map(({ id }) => id), storageDomainId };
  try {
    return await api.vms.cloneSnapshot({ name, description: tag, clusterId, snapshotId, placement }, signal);
  } catch (error) {
    if (wasRefused(error, signal)) throw error;
    const lookup = AbortSignal.timeout(LOOKUP_DEADLINE_MS);
    const found = await api.vms.byName(name, lookup).catch(() => undefined);
    if (found === undefined) throw error;
    return found;
  }
}

/** The engine reports a failed clone only by its disappearance. */
function notCloned(vm: VirtualMachine): ExportFailedError {
  return new ExportFailedError(`the engine could not clone the snapshot of ${vm.name}`, {
    context: { vm: vm.id },
    hint: "The engine's events say why: the storage domain may be full, or a host lost it.",
  });
}
