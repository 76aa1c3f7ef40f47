import { describe, test } from "vitest";

import type { Check } from "./check.ts";

export interface Opened<T> {
  readonly subject: T;
  dispose(): Promise<void>;
}

/** One vitest test for each check, on a subject of its own. What does not apply is skipped, and the reason is reported. */
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
