import { Cron } from "croner";

import { messageOf } from "@ovault/contract";
import type { BackupType, Policy } from "./policy.ts";
import { WallClock } from "./wall-clock.ts";

export interface PlannedRun {
  readonly at: Date;
  readonly type: BackupType;
}

/**
 * The next runs of a policy after an instant, soonest first, at most `count`. Times that clocks skip when they are
 * set forward come right after the gap, as one run; times that clocks show twice when they are set back come once. Two
 * entries that fall on one minute are one run, a full one if any is.
 */
export function nextRuns({ schedule, timeZone }: Policy, after: Date, count: number): readonly PlannedRun[] {
  const types = new Map<number, BackupType>();
  for (const { cron, type } of schedule) {
    for (const at of nextTimes(cron, new WallClock(timeZone), { after, count })) {
      if (types.get(at) !== "full") types.set(at, type);
    }
  }
  return [...types]
    .map(([at, type]) => ({ at: new Date(at), type }))
    .toSorted((a, b) => a.at.getTime() - b.at.getTime())
    .slice(0, count);
}

/** In ms since 1970. Matches the fields in a calendar without clock changes, then maps the times to the clocks. */
function nextTimes(
  cron: string,
  clock: WallClock,
  { after, count }: { readonly after: Date; readonly count: number },
): ReadonlySet<number> {
  const times = new Set<number>();
  const schedule = parseCron(cron);
  let shown = schedule.nextRun(clock.at(after));
  while (shown !== null && times.size < count) {
    const at = clock.firstAt(shown);
    if (at > after) times.add(at.getTime());
    shown = schedule.nextRun(shown);
  }
  return times;
}

const FIVE_FIELDS = /^\S+( +\S+){4}$/;

/** What is wrong with a cron expression, or undefined. */
export function cronProblem(cron: string): string | undefined {
  if (!FIVE_FIELDS.test(cron)) return "five fields: minute, hour, day of month, month, day of week";
  try {
    return parseCron(cron).nextRun() === null ? "such a time never comes" : undefined;
  } catch (error) {
    return messageOf(error);
  }
}

/** Paused: it only computes times. */
function parseCron(cron: string): Cron {
  return new Cron(cron, { paused: true, mode: "5-part", timezone: "UTC" });
}
