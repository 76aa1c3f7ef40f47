import type { Assessment, Diagnosis, VirtualMachine } from "@ovault/contract";
import { allImpossible, FROZEN_IN, lastingState, type OvirtManager, Recent, SnapshotStrategy } from "@ovault/ovirt";

import { assessDisk } from "./assess-disk.ts";
import { deviceFiller } from "./device-filler.ts";
import { deviceReader } from "./device-reader.ts";
import { diagnose } from "./diagnose.ts";
import { OWN_LEFTOVERS } from "./leftovers.ts";
import type { DiskAttachmentOptions } from "./options.ts";
import { readSite, type Site } from "./site.ts";

/** Name of the strategy in configuration, ledger and recovery points. */
export const STRATEGY_NAME = "disk-attachment";

const TOO_OLD = "attaching disks came with oVirt 4.0";

/** Long enough for `ovault vms` and for a policy to assess all machines with one lookup. */
const SITE_AGE_MS = 30_000;

/** Backups through snapshots whose disks are attached to the virtual machine that ovault runs in. */
export class DiskAttachmentStrategy extends SnapshotStrategy {
  readonly name = STRATEGY_NAME;
  readonly #options: DiskAttachmentOptions;
  readonly #site = new Recent<Site>(SITE_AGE_MS);

  /** @param options with an absolute `deviceDirectory` */
  constructor(manager: OvirtManager, options: DiskAttachmentOptions) {
    const [reader, filler] = [deviceReader(options), deviceFiller(options)];
    super({ manager, options, reader, filler, leftovers: OWN_LEFTOVERS });
    this.#options = options;
  }

  async assess(vm: VirtualMachine, signal: AbortSignal): Promise<Assessment> {
    const { api } = this.manager;
    const { diskAttachments } = await this.manager.capabilities(signal);
    if (!diskAttachments) return allImpossible(vm, TOO_OLD);
    const site = await this.#site.get(() => readSite({ api, wanted: this.#options.proxyVm }, signal));
    return { disks: vm.disks.map((disk) => assessDisk(vm, disk, site)), obstacle: lastingState(vm, FROZEN_IN) };
  }

  async diagnose(signal: AbortSignal): Promise<readonly Diagnosis[]> {
    if (!(await this.manager.capabilities(signal)).diskAttachments) {
      return [{ name: "proxy VM", status: "skip", detail: TOO_OLD, hint: null }];
    }
    return diagnose(this.manager.api, this.#options, signal);
  }
}
