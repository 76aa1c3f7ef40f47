import type { BackupMode, BackupPlan } from "@ovault/core";

import { errorSummary } from "../output/error-text.ts";
import { formatBytes, formatDuration } from "../output/format.ts";
import { table, text, type View } from "../output/view.ts";
import type { PointSummary } from "./point-summary.ts";

/** How the backup of one virtual machine ended. */
export interface BackupResult {
  readonly vm: { readonly id: string; readonly name: string };
  readonly elapsedMs: number;
  /** Undefined when it failed. */
  readonly point: PointSummary | undefined;
  readonly error: unknown;
}

/** What a backup would do with each disk. */
export interface PlanSummary {
  readonly vm: { readonly id: string; readonly name: string };
  readonly strategy: string;
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
export function resultsData(results: readonly BackupResult[]): unknown {
  return results.map(({ vm, elapsedMs, point, error }) => ({
    vm,
    elapsedMs,
    point: point ?? null,
    error: error === undefined ? null : errorSummary(error),
  }));
}

export function resultsView(results: readonly BackupResult[]): View {
  const rows = results.flatMap(({ vm, elapsedMs, point }) =>
    (point?.disks ?? []).map((disk, position) => [
      position === 0 ? vm.name : "",
      position === 0 ? (point?.id ?? "") : "",
      disk.alias,
      disk.mode,
      formatBytes(disk.logicalBytes),
      formatBytes(disk.readBytes),
      formatBytes(disk.storedBytes),
      position === 0 ? formatDuration(elapsedMs) : "",
      disk.reason,
    ]),
  );
  const titles = ["vm", "point", "disk", "mode", ">logical", ">read", ">stored", ">time", "why"];
  return [
    ...(rows.length > 0 ? [table(titles, rows, "")] : []),
    ...results.flatMap(({ vm, point }) => [
      ...(point?.skipped ?? []).map(({ alias, reason }) => text(`${vm.name}: not taken: ${alias}: ${reason}`)),
      ...(point?.warnings ?? []).map((warning) => text(`${vm.name}: warning: ${warning}`)),
    ]),
    ...results.flatMap(({ vm, error }) => {
      if (error === undefined) return [];
      const { message, hint } = errorSummary(error);
      return [text(`${vm.name}: failed: ${message}`, ...(hint === null ? [] : [`  hint: ${hint}`]))];
    }),
  ];
}

export function summarizePlan(plan: BackupPlan, full: boolean): PlanSummary {
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
    vm: { id: plan.vm.id, name: plan.vm.name },
    strategy: plan.strategy,
    basePoint: plan.base?.id ?? null,
    disks: [...taken, ...skipped],
  };
}

/** As far as can be known beforehand: only the backup itself shows whether change tracking still holds. */
function planDisk(plan: BackupPlan, diskId: string, full: boolean): Pick<PlannedDisk, "action" | "reason"> {
  if (full) return { action: "full", reason: "asked for" };
  if (plan.base === undefined) return { action: "full", reason: "there is no point to start from" };
  if (plan.baseHasLosses) return { action: "full", reason: `${plan.base.id} has lost data` };
  if (!plan.base.disks.some(({ disk }) => disk.id === diskId)) {
    return { action: "full", reason: `not in ${plan.base.id}` };
  }
  const assessment = plan.assessments.find((candidate) => candidate.diskId === diskId);
  const reason = assessment?.reason ?? "";
  return { action: assessment?.verdict === "incremental" ? "incremental" : "compared", reason };
}

export function plansView(plans: readonly PlanSummary[]): View {
  const rows = plans.flatMap(({ vm, strategy, disks }) =>
    disks.map((disk, position) => [
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
    text("Nothing was changed."),
  ];
}
