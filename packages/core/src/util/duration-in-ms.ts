const UNIT_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * A time span as people write it, in whole milliseconds: a number with suffix s, m, h or d, or `0`. Undefined for
 * anything else.
 */
export function durationInMs(written: string): number | undefined {
  const text = written.trim();
  if (text === "0") return 0;
  const [, amount, unit = ""] = /^(\d+(?:\.\d+)?)([smhd])$/.exec(text) ?? [];
  const milliseconds = Math.round(Number(amount) * (UNIT_MS[unit] ?? Number.NaN));
  return Number.isSafeInteger(milliseconds) ? milliseconds : undefined;
}
