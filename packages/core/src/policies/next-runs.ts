import { Cron } from "croner";

import { messageOf } from "../util/message-of.ts";
import type { BackupType, Policy } from "./policy.ts";

export interface PlannedRun {
  readonly at: Date;
  readonly type: BackupType;
}

/**
 * The runs that a policy plans after an instant, the soonest first, at most `count`. Where clocks are set forward, what
 * lies in the missing hour comes right after it; where they are set back, a time of day comes once. Two entries that fall
 * on one minute are one run, a full one if any is.
 */
export function nextRuns({ schedule, timeZone }: Policy, after: Date, count: number): readonly PlannedRun[] {
  const types = new Map<number, BackupType>();
  for (const { cron, type } of schedule) {
    for (const at of parseCron(cron, timeZone).nextRuns(count, after)) {
      if (types.get(at.getTime()) !== "full") types.set(at.getTime(), type);
    }
  }
  return [...types]
    .map(([at, type]) => ({ at: new Date(at), type }))
    .toSorted((a, b) => a.at.getTime() - b.at.getTime())
    .slice(0, count);
}

const FIVE_FIELDS = /^\S+( +\S+){4}$/;

/** What is wrong with the time of a schedule, or undefined. */
export function cronProblem(cron: string): string | undefined {
  if (!FIVE_FIELDS.test(cron)) return "five fields: minute, hour, day of month, month, day of week";
  try {
    return parseCron(cron, undefined).nextRun() === null ? "such a time never comes" : undefined;
  } catch (error) {
    return messageOf(error);
  }
}

/** Paused: it only tells times. */
function parseCron(cron: string, timeZone: string | undefined): Cron {
  return new Cron(cron, { paused: true, mode: "5-part", ...(timeZone !== undefined && { timezone: timeZone }) });
}
