import {
  DeadlineError,
  messageOf,
  observe,
  type BackupRequest,
  type DiskReader,
  type DiskSource,
  type RunContext,
} from "@ovault/contract";
import type { DiskPlan, EngineApi, StorageDomain, VolumeReading } from "@ovault/ovirt";
import type { ExportDomain } from "@ovault/storage-domain";

import { ClonedMachine } from "../cloning/cloned-machine.ts";
import { unlocked } from "../cloning/remove-clone.ts";
import { exportClone } from "../exporting/export-clone.ts";
import { StagedCopy } from "../exporting/staged-copy.ts";
import type { ExportDomainOptions } from "../options.ts";
import type { MachineSite } from "../site/export-sites.ts";
import { matchCopies } from "./match-copies.ts";
import { openCopies } from "./open-copies.ts";
import { StagedDiskSource } from "./staged-disk-source.ts";

export interface ExportReadingParts {
  readonly request: BackupRequest;
  readonly api: EngineApi;
  readonly context: RunContext;
  readonly options: ExportDomainOptions;
  readonly site: MachineSite;
  /** Closed with the reading. */
  readonly domain: ExportDomain;
  readonly cloneDomain: StorageDomain | undefined;
}

/** A snapshot on its way through a clone and its export. */
export class ExportReading implements VolumeReading {
  readonly #parts: ExportReadingParts;
  #wasOpened = false;
  #clone: ClonedMachine | undefined;
  #copy: StagedCopy | undefined;
  readonly #readers: DiskReader[] = [];
  /** How long to wait for the engine to let go of the clone. */
  #patienceMs: number;
  #isOpen = true;

  constructor(parts: ExportReadingParts) {
    this.#parts = parts;
    this.#patienceMs = parts.options.removalTimeoutSeconds * 1_000;
  }

  /** Once there is a clone, it may not be opened again. */
  get holdsVolumes(): boolean {
    return this.#wasOpened;
  }

  async open(plans: readonly DiskPlan[], snapshotId: string, signal: AbortSignal): Promise<readonly DiskSource[]> {
    try {
      return await this.#open(plans, snapshotId, signal);
    } catch (error) {
      // The engine is stuck with it, and may be for ever.
      if (error instanceof DeadlineError) this.#patienceMs = 0;
      throw error;
    }
  }

  /** What cannot be removed stays in the ledger, with a warning: the data is good. */
  async close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    for (const reader of this.#readers) await reader.close();
    await this.#dropCopy();
    await this.#dropClone();
    await this.#drop("the note of this run in the folder", async () => this.#parts.request.turn?.release());
    await this.#parts.domain[Symbol.asyncDispose]();
  }

  async #open(plans: readonly DiskPlan[], snapshotId: string, signal: AbortSignal): Promise<readonly DiskSource[]> {
    const { request, api, context, options, site, domain, cloneDomain } = this.#parts;
    const { vm } = request;
    const { ledger } = context;
    const disks = plans.map(({ disk }) => disk);
    const { place, storageDomain } = site;
    this.#wasOpened = true;
    this.#phase("clone", `the snapshot of ${vm.name}`);
    const wish = { api, ledger, vm, clusterId: site.clusterId, snapshotId, disks, storageDomainId: cloneDomain?.id };
    this.#clone = await ClonedMachine.request(wish, signal);
    await this.#clone.ready(options.cloneTimeoutSeconds * 1_000, signal);
    const all = await this.#clone.disks(signal);
    const copies = matchCopies(disks, all);
    this.#phase("export", `the clone of ${vm.name} to ${storageDomain.name}`);
    const machine = { vmId: this.#clone.id, imageIds: all.map(({ id }) => id) };
    const title = `exported clone of ${vm.name}`;
    this.#copy = await StagedCopy.announce(domain, machine, { ledger, folder: place.folder, title });
    const deadlineMs = options.exportTimeoutSeconds * 1_000;
    await exportClone({ api, vmId: machine.vmId, name: vm.name, domain, deadlineMs }, signal);
    this.#phase("stage", `reading the export in ${place.folder}`);
    const onOpen = (reader: DiskReader): void => void this.#readers.push(reader);
    const readers = await openCopies(domain, machine, copies, { signal, onOpen });
    // The engine needs its space, and reading may take long.
    await this.#dropClone();
    return plans.map(({ disk, otherwise: mode, reason }, index) => {
      const reader = readers[index];
      if (reader === undefined) throw new RangeError(`disk ${disk.alias} has no export`);
      return new StagedDiskSource({ disk, mode, reason }, reader);
    });
  }

  async #dropCopy(): Promise<void> {
    const { api } = this.#parts;
    const [copy, clone] = [this.#copy, this.#clone];
    this.#copy = undefined;
    await this.#drop("the exported clone of this run", async () => {
      if (copy === undefined) return;
      // A host may still write it.
      if (clone !== undefined) await unlocked(api, clone.id, this.#patienceMs);
      await copy.remove();
    });
  }

  async #dropClone(): Promise<void> {
    const clone = this.#clone;
    this.#clone = undefined;
    await this.#drop("the clone of this run", async () => clone?.remove(this.#patienceMs));
  }

  async #drop(what: string, remove: () => Promise<void>): Promise<void> {
    try {
      await remove();
    } catch (error) {
      const { warning } = this.#parts.context.hooks;
      observe(warning, `${what} is still there: ${messageOf(error)}; see \`ovault doctor\``);
    }
  }

  #phase(phase: string, detail: string): void {
    observe(this.#parts.context.hooks.phase, { phase, detail });
  }
}
