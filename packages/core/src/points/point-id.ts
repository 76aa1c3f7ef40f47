import { randomBytes } from "node:crypto";

import { IntegrityError } from "@ovault/contract";

/**
 * `YYYYMMDD-HHMMSS-`, then eight random hex digits; ids chosen in order end with the tag of their machine. A suffix
 * after that distinguishes copies.
 */
const POINT_ID = /^(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)(\d\d)-[0-9a-f]{8}(?:-([0-9a-f]{8}))?(?:-copy[1-9]\d{0,3})?$/;
const COPY = /-copy[1-9]\d{0,3}$/;
/** The last second that a four-digit year can express. */
const LAST_SECOND = Date.UTC(9999, 11, 31, 23, 59, 59) / 1000;

/**
 * An id for a new point. It sorts as text behind all earlier ids, whatever the clock shows: its time is the clock's, or
 * one second after the latest of theirs.
 * @param tag of the machine: 8 hex digits
 * @param earlier ids of all points in the folder of the machine, forgotten ones too; ids of another form do not count
 * @throws IntegrityError when an earlier id leaves no time for a later one
 */
export function newPointId(now: Date, tag: string, earlier: Iterable<string> = []): string {
  let second = Math.floor(now.getTime() / 1000);
  for (const id of earlier) second = Math.max(second, (secondOf(id) ?? -1) + 1);
  if (second > LAST_SECOND) {
    throw new IntegrityError("a recovery point of this machine is dated at the end of time: no id can be later", {
      hint: "Run `ovault points` to find it; forget it, and prune.",
    });
  }
  const [date = "", time = ""] = new Date(second * 1000).toISOString().slice(0, 19).replaceAll(/[-:]/g, "").split("T");
  return `${date}-${time}-${randomBytes(4).toString("hex")}-${tag}`;
}

/**
 * The id of a point, or the key of its manifest, without the suffix that distinguishes copies: a copy and its origin
 * share it.
 */
export function originOf(idOrKey: string): string {
  return idOrKey.replace(COPY, "");
}

/** The tag of the machine in an id; undefined for ids of older releases, which only the clock ordered. */
export function tagOf(id: string): string | undefined {
  return secondOf(id) === undefined ? undefined : POINT_ID.exec(id)?.[7];
}

/** The time in an id, in seconds since 1970; undefined for an invalid id. */
export function secondOf(id: string): number | undefined {
  const match = POINT_ID.exec(id);
  if (match === null) return undefined;
  const [year = 0, month = 0, ...rest] = match.slice(1, 7).map(Number);
  const instant = new Date(Date.UTC(year, month - 1, ...rest));
  // Digits that are not a valid date would sort elsewhere than the date they are parsed as.
  return instant.toISOString().slice(0, 19).replaceAll(/[-:]/g, "").replace("T", "-") === id.slice(0, 15)
    ? instant.getTime() / 1000
    : undefined;
}
