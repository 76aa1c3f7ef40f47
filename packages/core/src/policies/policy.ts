import type { RetentionRules } from "../retention/retention-rules.ts";
import type { RunLimits } from "./run-limits.ts";
import type { MachineSelection } from "./select-machines.ts";

/** How a group of virtual machines is backed up. Plain data, as checked from ovault.yaml. */
export interface Policy {
  readonly name: string;
  /** Name in the configuration; the default one if absent. */
  readonly manager?: string | undefined;
  readonly vms: MachineSelection;
  /** Ids, or globs for aliases. */
  readonly excludeDisks: readonly string[];
  /** Name, or `auto`. */
  readonly strategy: string;
  /** How to freeze guests; unchecked here: the component that freezes them validates it. */
  readonly consistency: Readonly<Record<string, unknown>>;
  /** Name in the configuration; the default one if absent. */
  readonly destination?: string | undefined;
  readonly schedule: readonly ScheduleEntry[];
  /** IANA name, for the schedule and the days that retention counts; the system's by default. */
  readonly timeZone?: string | undefined;
  readonly retention?: RetentionRules | undefined;
  readonly limits: RunLimits;
}

/** When runs begin. */
export interface ScheduleEntry {
  /** Five fields: minute, hour, day of month, month, day of week. */
  readonly cron: string;
  readonly type: BackupType;
}

export const BACKUP_TYPES = ["incremental", "full"] as const;
export type BackupType = (typeof BACKUP_TYPES)[number];
