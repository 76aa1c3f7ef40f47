import type { BackupMode, VirtualMachine } from "@ovault/contract";
import type { BackupPlan, MachineBackupOutcome, StrategyChoice } from "@ovault/core";

import {
  considered,
  errorSummary,
  formatBytes,
  formatDuration,
  summarizePoint,
  type ConsideredStrategy,
} from "@ovault/operations";
import { table, text, type View } from "../output/view.ts";
import { choicesView } from "./choices-view.ts";

/** What was found out about one machine before its backup; it has a plan or an error. */
export interface BackupPlanOutcome {
  readonly vm: VirtualMachine;
  readonly plan: PlanSummary | undefined;
  readonly error: unknown;
}

/** What a backup would do with each disk. */
export interface PlanSummary {
  readonly vm: { readonly id: string; readonly name: string; readonly manager: string };
  readonly strategy: string;
  readonly strategyReason: string;
  /** The other strategies, the best first. */
  readonly rejected: readonly ConsideredStrategy[];
  readonly basePoint: string | null;
  readonly disks: readonly PlannedDisk[];
}

interface PlannedDisk {
  readonly id: string;
  readonly alias: string;
  readonly logicalBytes: number;
  /** `compared`: read in full, stored where it differs. */
  readonly action: BackupMode | "skip";
  readonly reason: string;
}

/** The results for programs: errors as their code, message and hint. */
export function resultsData(results: readonly MachineBackupOutcome[]): unknown {
  return results.map(({ vm: { id, name, manager }, elapsedMs, point, error }) => ({
    vm: { id, name, manager },
    elapsedMs,
    point: point === undefined ? null : summarizePoint(point),
    error: error === undefined ? null : errorSummary(error),
  }));
}

export function resultsView(results: readonly MachineBackupOutcome[]): View {
  const rows = results.flatMap(({ vm, elapsedMs, point }) => {
    if (point === undefined) return [];
    const time = formatDuration(elapsedMs);
    if (point.disks.length === 0) return [[vm.name, point.id, "none", "", "", "", "", time, "configuration alone"]];
    return point.disks.map(({ disk, mode, reason, stats }, position) => [
      position === 0 ? vm.name : "",
      position === 0 ? point.id : "",
      disk.alias,
      mode,
      formatBytes(stats.logicalBytes),
      formatBytes(stats.readBytes),
      formatBytes(stats.storedBytes),
      position === 0 ? time : "",
      reason,
    ]);
  });
  const titles = ["vm", "point", "disk", "mode", ">logical", ">read", ">stored", ">time", "why"];
  return [
    ...(rows.length > 0 ? [table(titles, rows, "")] : []),
    ...results.flatMap(({ vm, point }) => [
      ...(point?.skipped ?? []).map(({ disk, reason }) => text(`${vm.name}: not taken: ${disk.alias}: ${reason}`)),
      ...(point?.warnings ?? []).map((warning) => text(`${vm.name}: warning: ${warning}`)),
    ]),
    ...failuresView(results),
    ...totalView(results),
  ];
}

function failuresView(outcomes: readonly Pick<MachineBackupOutcome, "vm" | "error">[]): View {
  return outcomes.flatMap(({ vm, error }) => {
    if (error === undefined) return [];
    const { message, hint } = errorSummary(error);
    return [text(`${vm.name}: failed: ${message}`, ...(hint === null ? [] : [`  hint: ${hint}`]))];
  });
}

/** The totals of several machines. */
function totalView(results: readonly MachineBackupOutcome[]): View {
  if (results.length < 2) return [];
  const failed = results.filter(({ error }) => error !== undefined).length;
  const stats = results.flatMap(({ point }) => (point?.disks ?? []).map((record) => record.stats));
  const read = sum(stats.map(({ readBytes }) => readBytes));
  const stored = sum(stats.map(({ storedBytes }) => storedBytes));
  const ended = `${results.length - failed} of ${results.length} virtual machines backed up`;
  return [text(`${ended}${failed === 0 ? "" : `, ${failed} failed`}; ${read} read, ${stored} stored`)];
}

function sum(values: readonly number[]): string {
  return formatBytes(values.reduce((total, value) => total + value, 0));
}

/** The plans for programs. */
export function plansData(plans: readonly BackupPlanOutcome[]): unknown {
  return plans.map(({ vm: { id, name, manager }, plan, error }) =>
    plan === undefined
      ? { vm: { id, name, manager }, disks: [], error: errorSummary(error) }
      : { ...plan, error: null },
  );
}

export function summarizePlan(plan: BackupPlan, choice: StrategyChoice, full: boolean): PlanSummary {
  const taken = plan.disks.map((disk) => ({
    id: disk.id,
    alias: disk.alias,
    logicalBytes: disk.logicalBytes,
    ...planDisk(plan, disk.id, full),
  }));
  const skipped = plan.skipped.map(({ disk, reason }) => ({
    id: disk.id,
    alias: disk.alias,
    logicalBytes: disk.logicalBytes,
    action: "skip" as const,
    reason,
  }));
  return {
    vm: { id: plan.vm.id, name: plan.vm.name, manager: plan.vm.manager },
    strategy: plan.strategy,
    strategyReason: choice.reason,
    rejected: choice.rejected.map((other) => considered(other, plan.vm)),
    basePoint: plan.base?.id ?? null,
    disks: [...taken, ...skipped],
  };
}

/** As far as known beforehand: only the backup itself shows whether change tracking is still valid. */
function planDisk(plan: BackupPlan, diskId: string, full: boolean): Pick<PlannedDisk, "action" | "reason"> {
  if (full) return { action: "full", reason: "asked for" };
  const { base, strategy } = plan;
  if (base === undefined) return { action: "full", reason: "there is no point to start from" };
  if (plan.baseHasLosses) return { action: "full", reason: `${base.id} has lost data` };
  const record = base.disks.find(({ disk }) => disk.id === diskId);
  if (record === undefined) return { action: "full", reason: `not in ${base.id}` };
  const { verdict, reason = "" } = plan.assessments.find((candidate) => candidate.diskId === diskId) ?? {};
  if (verdict !== "incremental") return { action: "compared", reason };
  if (base.strategy !== strategy) return { action: "compared", reason: `${base.id} was taken by ${base.strategy}` };
  if (record.base === undefined) return { action: "compared", reason: `${base.id} left nothing to start from` };
  return { action: "incremental", reason };
}

export function plansView(outcomes: readonly BackupPlanOutcome[]): View {
  const plans = outcomes.flatMap(({ plan }) => plan ?? []);
  const rows = plans.flatMap(({ vm, strategy, disks }) =>
    disks.length === 0
      ? [[vm.name, strategy, "none", "", "", "configuration alone"]]
      : disks.map((disk, position) => [
          position === 0 ? vm.name : "",
          position === 0 ? strategy : "",
          disk.alias,
          formatBytes(disk.logicalBytes),
          disk.action,
          disk.reason,
        ]),
  );
  return [
    table(["vm", "strategy", "disk", ">size", "would be", "why"], rows, "nothing to do"),
    ...choicesView(plans),
    ...failuresView(outcomes),
    text("Nothing was changed."),
  ];
}
