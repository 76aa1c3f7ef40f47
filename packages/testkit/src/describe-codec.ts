import type { Codec } from "@ovault/contract";

import { codecChecks } from "./codec/codec-checks.ts";
import { describeChecks } from "./describe-checks.ts";

export interface CodecSuite {
  /** Number of randomized iterations. Default: 100. */
  readonly runs?: number;
  /** Limit of one test. Default: 1 minute. */
  readonly timeoutMs?: number;
}

/** What every codec must do, as vitest tests. Call it at the top of a test file. */
export function describeCodec(codec: Codec, { runs = 100, timeoutMs = 60_000 }: CodecSuite = {}): void {
  describeChecks(`the codec ${codec.name} keeps its contract`, codecChecks, {
    timeoutMs,
    open: async () => ({ subject: { codec, runs }, dispose: async () => {} }),
  });
}
