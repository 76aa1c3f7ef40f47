const DAY_MS = 24 * 60 * 60 * 1000;

/**
 * Local time of a time zone. A local time is a Date whose UTC fields hold the local fields, so that arithmetic ignores
 * clock changes.
 */
export class WallClock {
  readonly #format: Intl.DateTimeFormat;

  /** @param timeZone IANA name; the system's by default */
  constructor(timeZone: string | undefined) {
    const digits = { year: "numeric", month: "numeric", day: "numeric" } as const;
    const time = { hour: "numeric", minute: "numeric", second: "numeric", hourCycle: "h23" } as const;
    this.#format = new Intl.DateTimeFormat("en", { ...digits, ...time, calendar: "iso8601", timeZone });
  }

  /** The local time at an instant, to the second. */
  at(instant: Date): Date {
    const parts = this.#format.formatToParts(instant).map(({ type, value }) => [type, Number(value)] as const);
    const { year = 0, month = 0, day = 0, hour, minute, second } = Object.fromEntries(parts);
    return new Date(Date.UTC(year, month - 1, day, hour, minute, second));
  }

  /** The first instant with this local time or, if clocks skip it, a later one. */
  firstAt(shown: Date): Date {
    const [earlier, later] = [-DAY_MS, DAY_MS]
      .map((away) => new Date(shown.getTime() + away))
      .map((near) => new Date(shown.getTime() - (this.at(near).getTime() - near.getTime())))
      .toSorted((a, b) => a.getTime() - b.getTime());
    if (earlier === undefined || later === undefined) return shown;
    for (const candidate of [earlier, later]) {
      if (this.at(candidate).getTime() === shown.getTime()) return candidate;
    }
    return this.#endOfGap(shown, earlier, later);
  }

  /** Clocks are set forward, past `shown`, between `before` and `after`: returns the instant of the change. */
  #endOfGap(shown: Date, before: Date, after: Date): Date {
    let [low, high] = [before.getTime() / 1000, after.getTime() / 1000];
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (this.at(new Date(middle * 1000)) > shown) high = middle;
      else low = middle;
    }
    return new Date(high * 1000);
  }
}
