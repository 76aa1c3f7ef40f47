import type {
  Assessment,
  BackupRequest,
  Diagnosis,
  RestorePlan,
  RestoreRequest,
  RestoreSession,
  RunContext,
  Turn,
  VirtualMachine,
} from "@ovault/contract";
import { FROZEN_IN, lastingState, Recent, SnapshotStrategy, type OvirtManager } from "@ovault/ovirt";

import { diagnose } from "./diagnosis/diagnose.ts";
import { OWN_LEFTOVERS } from "./leftovers.ts";
import type { ExportDomainOptions } from "./options.ts";
import { exportReader } from "./reading/export-reader.ts";
import { openExportRestore, planExportRestore } from "./restoring/restore-to-export-domain.ts";
import { awaitTurn } from "./reading/await-turn.ts";
import { assessDisk } from "./site/assess-disk.ts";
import { ExportSites, needless } from "./site/export-sites.ts";

/** Name of the strategy in configuration, ledger and recovery points. */
export const STRATEGY_NAME = "export-domain";

/** Long enough for `ovault vms` and for a policy to assess all machines with one lookup. */
const SITES_AGE_MS = 30_000;

/** Backups through clones of snapshots that the engine exports into a folder of this node. */
export class ExportDomainStrategy extends SnapshotStrategy {
  readonly name = STRATEGY_NAME;
  readonly #options: ExportDomainOptions;
  readonly #sites = new Recent<ExportSites>(SITES_AGE_MS);

  /** @param options with absolute folders */
  constructor(manager: OvirtManager, options: ExportDomainOptions) {
    super({ manager, options, reader: exportReader(options), filler: undefined, leftovers: OWN_LEFTOVERS });
    this.#options = options;
  }

  async assess(vm: VirtualMachine, signal: AbortSignal): Promise<Assessment> {
    const sites = await this.#sites.get(() => ExportSites.read(this.manager.api, this.#options, signal));
    const { backups } = await this.manager.capabilities(signal);
    const site = backups && sites.all.length === 0 ? needless() : sites.of(vm.cluster);
    return { disks: vm.disks.map((disk) => assessDisk(vm, disk, site)), obstacle: lastingState(vm, FROZEN_IN) };
  }

  awaitTurn(request: BackupRequest, context: RunContext): Promise<Turn> {
    return awaitTurn(this.manager, this.#options, request, context);
  }

  override planRestore(request: RestoreRequest, signal: AbortSignal): Promise<RestorePlan> {
    return planExportRestore(this.manager, this.#options, request, signal);
  }

  override openRestore(request: RestoreRequest, context: RunContext): Promise<RestoreSession> {
    return openExportRestore(this.manager, this.#options, request, context);
  }

  diagnose(signal: AbortSignal): Promise<readonly Diagnosis[]> {
    return diagnose(this.manager.api, this.#options, signal);
  }
}
