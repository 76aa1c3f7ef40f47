import {
  UsageError,
  type Manager,
  type RecoveryPoint,
  type RestoredVirtualMachine,
  type RestorePlan,
  type RestoreRequest,
  type RunHooks,
  type Strategy,
} from "@ovault/contract";
import { type DiskLosses, restoreVirtualMachine, type Repository } from "@ovault/core";
import { Installation, clearLeftovers, strategyToRestore, findPoint } from "@ovault/operations";

import type { CommandContext } from "../command.ts";
import { reportOnInterruption } from "../report-on-interruption.ts";

/** As on the command line. */
export interface RestoreVmOptions {
  readonly as: string;
  readonly manager?: string;
  /** Name of a strategy, or `auto`. */
  readonly strategy: string;
  readonly cluster?: string;
  readonly storageDomain?: string;
  readonly network?: readonly string[];
  readonly mac: "keep" | "new";
  readonly start?: boolean;
  readonly salvage?: boolean;
}

/** Sizes in bytes. */
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

export async function restoreToManager(
  context: CommandContext,
  wanted: string,
  options: RestoreVmOptions,
  from: string | undefined,
): Promise<RestoredVm> {
  await using installation = await Installation.open(context);
  const { repository, point, manager, strategy, request } = await prepare(installation, context, wanted, options, from);
  await clearLeftovers(installation, manager, context);
  const { signal, terminal } = context;
  const ledger = await installation.ledger();
  reportOnInterruption(ledger, context);
  const totalBytes = point.disks.reduce((sum, { stats }) => sum + stats.logicalBytes, 0);
  const startedAt = performance.now();
  const warnings: string[] = [];
  const collect = (hooks: RunHooks): void => hooks.warning.tap("Result", (warning) => void warnings.push(warning));
  const result = await restoreVirtualMachine({
    request,
    store: repository,
    strategy,
    manager: manager.name,
    ledger,
    salvage: options.salvage === true,
    taps: [...(await installation.taps()), collect, terminal.showRun(options.as, totalBytes)],
    signal,
  });
  const elapsedMs = Math.round(performance.now() - startedAt);
  return { point: point.id, manager: manager.name, ...result, warnings, elapsedMs };
}

/** The plan of `restoreToManager`, step by step. */
export async function planRestore(
  context: CommandContext,
  wanted: string,
  options: RestoreVmOptions,
  from: string | undefined,
): Promise<RestorePlan> {
  await using installation = await Installation.open(context);
  const { strategy, request } = await prepare(installation, context, wanted, options, from);
  return await strategy.planRestore(request, context.signal);
}

interface Prepared {
  readonly repository: Repository;
  readonly point: RecoveryPoint;
  readonly manager: Manager;
  readonly strategy: Strategy;
  readonly request: RestoreRequest;
}

async function prepare(
  installation: Installation,
  context: CommandContext,
  wanted: string,
  options: RestoreVmOptions,
  from: string | undefined,
): Promise<Prepared> {
  const networks = parseNetworks(options.network ?? []);
  const repository = await installation.repository(from);
  const point = await findPoint(repository, wanted, context, { rather: options.manager });
  const ownManager = installation.configuration.managers.has(point.vm.manager) ? point.vm.manager : undefined;
  const manager = await installation.manager(options.manager ?? ownManager);
  const { as: name, cluster, storageDomain, mac, start = false } = options;
  const request: RestoreRequest = {
    point,
    disks: point.disks,
    name,
    networks,
    mac,
    start,
    ...(cluster === undefined ? {} : { cluster }),
    ...(storageDomain === undefined ? {} : { storageDomain }),
  };
  const strategy = strategyToRestore(await installation.strategies(manager), manager, options.strategy);
  return { repository, point, manager, strategy, request };
}

function parseNetworks(written: readonly string[]): ReadonlyMap<string, string> {
  return new Map(
    written.map((pair) => {
      const [, before, after] = /^([^=]+)=([^=]+)$/.exec(pair) ?? [];
      if (before !== undefined && after !== undefined) return [before, after];
      throw new UsageError(`--network ${pair} is not FROM=TO`, { hint: "For example: --network prod=test" });
    }),
  );
}
