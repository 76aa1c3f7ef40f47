import type {
  Assessment,
  BackupRequest,
  Diagnosis,
  HeldInstant,
  Leftover,
  LedgerEntry,
  RestorePlan,
  RestoreRequest,
  RestoreSession,
  RunContext,
  Strategy,
  VirtualMachine,
} from "@ovault/contract";
import {
  holdConfiguration,
  lookUpLeftovers,
  openRestore,
  planRestore,
  type DiskFiller,
  type OvirtManager,
} from "@ovault/ovirt";

import { assessDisk } from "./assess-disk.ts";
import { deviceFiller } from "./device-filler.ts";
import { diagnose } from "./diagnose.ts";
import { OWN_LEFTOVERS } from "./leftovers.ts";
import type { DiskAttachmentOptions } from "./options.ts";
import { Recent } from "./recent.ts";
import { readSite, type Site } from "./site.ts";
import { takeInstant } from "./take-instant.ts";

/** Name of the strategy in configuration, ledger and recovery points. */
export const STRATEGY_NAME = "disk-attachment";

/** Long enough for `ovault vms` and for a policy to assess all machines by one look. */
const SITE_AGE_MS = 30_000;

/** Backups through snapshots whose disks are plugged into the virtual machine that ovault runs in. */
export class DiskAttachmentStrategy implements Strategy {
  readonly name = STRATEGY_NAME;
  readonly #manager: OvirtManager;
  readonly #options: DiskAttachmentOptions;
  readonly #filler: DiskFiller;
  readonly #site = new Recent<Site>(SITE_AGE_MS);

  /** @param options with an absolute `deviceDirectory` */
  constructor(manager: OvirtManager, options: DiskAttachmentOptions) {
    this.#manager = manager;
    this.#options = options;
    this.#filler = deviceFiller(options);
  }

  async assess(vm: VirtualMachine, signal: AbortSignal): Promise<Assessment> {
    const { api } = this.#manager;
    const site = await this.#site.get(() => readSite({ api, wanted: this.#options.proxyVm }, signal));
    return { disks: vm.disks.map((disk) => assessDisk(vm, disk, site)) };
  }

  takeInstant(request: BackupRequest, context: RunContext): Promise<HeldInstant> {
    if (request.disks.length > 0) return takeInstant(this.#manager, this.#options, request, context);
    return holdConfiguration(this.#manager.apiFor(context.runId, context.hooks), request, context);
  }

  planRestore(request: RestoreRequest, signal: AbortSignal): Promise<RestorePlan> {
    return planRestore(this.#manager, this.#filler, request, signal);
  }

  openRestore(request: RestoreRequest, context: RunContext): Promise<RestoreSession> {
    return openRestore(this.#manager, this.#filler, request, context);
  }

  leftovers(entries: readonly LedgerEntry[], signal: AbortSignal): Promise<readonly Leftover[]> {
    return lookUpLeftovers(this.#manager.api, entries, OWN_LEFTOVERS, signal);
  }

  diagnose(signal: AbortSignal): Promise<readonly Diagnosis[]> {
    return diagnose(this.#manager.api, this.#options, signal);
  }
}
