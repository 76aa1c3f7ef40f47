import { UsageError } from "@ovault/contract";

/** Names of the periods that contain an instant. */
export interface CalendarPeriods {
  /** `2026-11-21` */
  readonly day: string;
  /** ISO 8601: `2026-W47` */
  readonly week: string;
  /** `2026-11` */
  readonly month: string;
  readonly year: string;
}

const DAY_MS = 24 * 60 * 60 * 1000;

/**
 * Looks instants up in the calendar of a time zone (an IANA name; the system's by default). When clocks are set back,
 * both hours belong to the day that the clock shows.
 * @throws UsageError for an unknown time zone
 */
export function calendarIn(timeZone?: string): (instant: Date) => CalendarPeriods {
  const format = dateFormat(timeZone);
  return (instant) => {
    const parts = new Map(format.formatToParts(instant).map(({ type, value }) => [type, value]));
    const [year = "", month = "", day = ""] = [parts.get("year"), parts.get("month"), parts.get("day")];
    return {
      day: `${year}-${month}-${day}`,
      week: weekOf(Date.UTC(Number(year), Number(month) - 1, Number(day))),
      month: `${year}-${month}`,
      year,
    };
  };
}

function dateFormat(timeZone: string | undefined): Intl.DateTimeFormat {
  const digits = {
    calendar: "gregory",
    numberingSystem: "latn",
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
  } as const;
  try {
    return new Intl.DateTimeFormat("en", { ...digits, ...(timeZone !== undefined && { timeZone }) });
  } catch (cause) {
    throw new UsageError(`there is no time zone "${timeZone ?? ""}"`, {
      cause,
      hint: "Write it as Europe/Berlin, America/New_York or UTC.",
    });
  }
}

/** The week of a date, given as its midnight in UTC. A week belongs to the year of its Thursday. */
function weekOf(midnightMs: number): string {
  const weekday = (new Date(midnightMs).getUTCDay() + 6) % 7;
  const thursday = new Date(midnightMs + (3 - weekday) * DAY_MS);
  const year = thursday.getUTCFullYear();
  const week = 1 + Math.floor((thursday.getTime() - Date.UTC(year, 0, 1)) / (7 * DAY_MS));
  return `${year}-W${String(week).padStart(2, "0")}`;
}
