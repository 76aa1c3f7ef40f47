import { describe, test } from "vitest";

import type { Check } from "./check.ts";

export interface Opened<T> {
  readonly subject: T;
  dispose(): Promise<void>;
}

/** One vitest test per check, each on its own subject. Skips checks that do not apply, and reports the reason. */
export function describeChecks<T>(
  title: string,
  checks: readonly Check<T>[],
  { open, timeoutMs }: { readonly open: () => Promise<Opened<T>>; readonly timeoutMs: number },
): void {
  describe(`${title}`, () => {
    for (const check of checks) {
      test(`${check.name}`, { timeout: timeoutMs }, async ({ signal, skip }) => {
        const { subject, dispose } = await open();
        try {
          const reason = check.skipReason?.(subject);
          if (reason !== undefined) skip(reason);
          await check.run(subject, signal);
        } finally {
          await dispose();
        }
      });
    }
  });
}
