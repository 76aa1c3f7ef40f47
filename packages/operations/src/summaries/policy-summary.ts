import { machineKey, type RecoveryPoint, type VirtualMachine } from "@ovault/contract";
import { nextRuns, selectMachines, type BackupType, type Policy } from "@ovault/core";

import { missedMachines, missedWarnings, type MissedMachine } from "../select/missed-machines.ts";
import { unmatchedWarnings } from "../select/select-backups.ts";
import type { PolicyPlaces } from "../select/policy-places.ts";

/** A policy as `--json` shows it; docs/cli.md describes it. */
export interface PolicySummary {
  readonly name: string;
  readonly manager: string | null;
  readonly destination: string | null;
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  readonly strategy: string;
  readonly nextRuns: readonly { readonly at: string; readonly type: BackupType }[];
  /** Null when the manager was not contacted, or did not answer. */
  readonly machines: readonly PolicyMachine[] | null;
  /** Number of machines without a point at the destination; null when unknown. */
  readonly withoutPoint: number | null;
  /** Newest point of the machine backed up longest ago; null when there is none, or it is unknown. */
  readonly leastRecentPointAt: string | null;
  /** Selected by their newest points, but no longer on the manager; null when unknown. */
  readonly gone: readonly MissedPolicyMachine[] | null;
  /** Selected by their newest points, but not by the manager's inventory; null when unknown. */
  readonly unselected: readonly MissedPolicyMachine[] | null;
  readonly warnings: readonly string[];
}

export interface MissedPolicyMachine {
  readonly id: string;
  readonly name: string;
  readonly newestPointAt: string;
}

export interface PolicyMachine {
  readonly id: string;
  readonly name: string;
  readonly status: string;
  readonly host: string | null;
  readonly tags: readonly string[];
  /** Null when the destination has none, or it is unknown. */
  readonly newestPointAt: string | null;
}

/** Results of the survey; undefined where it was not run or got no answer. */
export interface PolicyFindings {
  readonly places: PolicyPlaces;
  readonly inventory: readonly VirtualMachine[] | undefined;
  /** By `machineKey`. */
  readonly newest: ReadonlyMap<string, RecoveryPoint> | undefined;
  readonly now: Date;
}

const NEXT_RUNS = 3;

export function summarizePolicy(policy: Policy, { places, inventory, newest, now }: PolicyFindings): PolicySummary {
  const selected = inventory === undefined ? undefined : selectMachines(inventory, policy.vms);
  const machines = selected?.machines.map((vm) => summarizeMachine(vm, newest?.get(machineKey(vm))));
  const newestAt = machines?.flatMap(({ newestPointAt }) => newestPointAt ?? []).toSorted();
  const known = machines !== undefined && newest !== undefined;
  const placed = { ...policy, ...places };
  const missed =
    inventory !== undefined && newest !== undefined ? missedMachines(placed, inventory, newest) : undefined;
  return {
    name: policy.name,
    manager: places.manager ?? null,
    destination: places.destination ?? null,
    include: policy.vms.include,
    exclude: policy.vms.exclude,
    strategy: policy.strategy,
    nextRuns: nextRuns(policy, now, NEXT_RUNS).map(({ at, type }) => ({ at: at.toISOString(), type })),
    machines: machines ?? null,
    withoutPoint: known ? machines.filter(({ newestPointAt }) => newestPointAt === null).length : null,
    leastRecentPointAt: newestAt?.[0] ?? null,
    gone: missed?.gone.map(summarizeMissed) ?? null,
    unselected: missed?.unselected.map(summarizeMissed) ?? null,
    warnings: [...warningsOf(policy, selected), ...(missed === undefined ? [] : missedWarnings(placed, missed))],
  };
}

function summarizeMachine(vm: VirtualMachine, newest: RecoveryPoint | undefined): PolicyMachine {
  const { id, name, status, host, tags = [] } = vm;
  return { id, name, status, host: host?.name ?? null, tags, newestPointAt: newest?.takenAt ?? null };
}

function summarizeMissed({ vm: { id, name }, takenAt }: MissedMachine): MissedPolicyMachine {
  return { id, name, newestPointAt: takenAt };
}

function warningsOf({ name }: Policy, selected: ReturnType<typeof selectMachines> | undefined): readonly string[] {
  if (selected === undefined) return [];
  if (selected.machines.length === 0) return [`policy ${name} selects no virtual machine`];
  return unmatchedWarnings(name, selected.unmatched);
}
