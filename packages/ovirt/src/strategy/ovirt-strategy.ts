import type {
  Assessment,
  BackupRequest,
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

import type { LeftoverKinds } from "../leftovers/leftover-kind.ts";
import { lookUpLeftovers } from "./look-up-leftovers.ts";
import { holdConfiguration } from "../machine/hold-configuration.ts";
import type { OvirtManager } from "../manager/manager.ts";
import type { DiskFiller } from "../restore/fill/disk-filler.ts";
import { openRestore } from "../restore/open-restore.ts";
import { planRestore } from "../restore/plan-restore.ts";

export interface OvirtStrategyParts {
  readonly manager: OvirtManager;
  /** Undefined: the strategy does not fill disks of the engine, and overrides `planRestore` and `openRestore`. */
  readonly filler: DiskFiller | undefined;
  /** Kinds of leftovers that only this strategy makes. */
  readonly leftovers?: LeftoverKinds;
}

/** What all strategies on oVirt share: restores, leftovers, and machines without disks. */
export abstract class OvirtStrategy implements Strategy {
  abstract readonly name: string;
  protected readonly manager: OvirtManager;
  readonly #filler: DiskFiller | undefined;
  readonly #leftovers: LeftoverKinds;

  constructor({ manager, filler, leftovers = {} }: OvirtStrategyParts) {
    this.manager = manager;
    this.#filler = filler;
    this.#leftovers = leftovers;
  }

  abstract assess(vm: VirtualMachine, signal: AbortSignal): Promise<Assessment>;

  /** Like `takeInstant`, for a machine with disks to read. */
  protected abstract hold(request: BackupRequest, context: RunContext): Promise<HeldInstant>;

  takeInstant(request: BackupRequest, context: RunContext): Promise<HeldInstant> {
    if (request.disks.length > 0) return this.hold(request, context);
    return holdConfiguration(this.manager.apiFor(context.runId, context.hooks), request, context);
  }

  planRestore(request: RestoreRequest, signal: AbortSignal): Promise<RestorePlan> {
    return planRestore(this.manager, this.#requireFiller(), request, signal);
  }

  openRestore(request: RestoreRequest, context: RunContext): Promise<RestoreSession> {
    return openRestore(this.manager, { filler: this.#requireFiller(), leftovers: this.#leftovers }, request, context);
  }

  /** An abort of one removal ends all that are under way, also their waits that have deadlines of their own. */
  async leftovers(
    entries: readonly LedgerEntry[],
    signal: AbortSignal,
    onWait?: (what: string) => void,
  ): Promise<readonly Leftover[]> {
    const end = new AbortController();
    const api = this.manager.apiToCleanUp(onWait, end.signal);
    const found = await lookUpLeftovers(api, entries, this.#leftovers, signal);
    return found.map((leftover) => ({
      ...leftover,
      remove: async (removal) => {
        removal.addEventListener("abort", () => end.abort(removal.reason), { once: true });
        await leftover.remove(removal);
      },
    }));
  }

  #requireFiller(): DiskFiller {
    if (this.#filler === undefined) throw new TypeError(`${this.name} restores in no way of its own`);
    return this.#filler;
  }
}
