import { sizeInBytes, UsageError } from "@ovault/contract";
import { durationInMs } from "@ovault/core";

const MINUTE_MS = 60_000;
const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"] as const;

/** `1536` → `1.5 KiB`; three significant digits at most. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (Math.round(value) >= 1000 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return `${Number(value.toFixed(digits))} ${UNITS[unit] ?? ""}`;
}

/** `83_000` → `1:23`; hours appear when there are any. */
export function formatDuration(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  const parts = [Math.floor(seconds / 60) % 60, seconds % 60];
  const hours = Math.floor(seconds / 3600);
  if (hours > 0) parts.unshift(hours);
  return parts.map((part, index) => (index === 0 ? String(part) : twoDigits(part))).join(":");
}

/** An ISO time as local date and time, to the second. */
export function formatTime(iso: string): string {
  const time = new Date(iso);
  const date = [time.getFullYear(), time.getMonth() + 1, time.getDate()].map(twoDigits).join("-");
  return `${date} ${[time.getHours(), time.getMinutes(), time.getSeconds()].map(twoDigits).join(":")}`;
}

/** How long ago an ISO time is: `5 min`, `26 h`, `3 d`. */
export function formatAge(iso: string, now = Date.now()): string {
  const minutes = Math.max(0, Math.floor((now - Date.parse(iso)) / MINUTE_MS));
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 72 ? `${hours} h` : `${Math.floor(hours / 24)} d`;
}

function twoDigits(value: number): string {
  return String(value).padStart(2, "0");
}

/** A size as people write it. @throws UsageError */
export function parseSize(written: string): number {
  const bytes = sizeInBytes(written);
  if (bytes !== undefined) return bytes;
  throw new UsageError(`"${written}" is not a size`, {
    hint: "Write bytes, or a number with K, M, G or T: 64K, 1.5G.",
  });
}

const LONGEST_MS = 36_500 * 86_400_000;

/** A time span as people write it, in milliseconds. @throws UsageError */
export function parseDuration(written: string): number {
  const milliseconds = durationInMs(written);
  if (milliseconds !== undefined && milliseconds <= LONGEST_MS) return milliseconds;
  throw new UsageError(`"${written}" is not a time span`, {
    hint: "Write a number with s, m, h or d, up to 36500d: 90m, 36h, 7d; or 0.",
  });
}
