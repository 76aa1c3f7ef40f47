import type { Codec } from "@ovault/contract";

import { codecChecks } from "./codec/codec-checks.ts";
import { describeChecks } from "./describe-checks.ts";

export interface CodecSuite {
  /** How often is done what is random: 100 unless told. */
  readonly runs?: number;
  /** For one test, in milliseconds: 1 minute unless told. */
  readonly timeoutMs?: number;
}

/** What every codec must do, as vitest tests. Call it at the top of a test file. */
export function describeCodec(codec: Codec, { runs = 100, timeoutMs = 60_000 }: CodecSuite = {}): void {
  describeChecks(`the codec ${codec.name} keeps its contract`, codecChecks, {
    timeoutMs,
    open: async () => ({ subject: { codec, runs }, dispose: async () => {} }),
  });
}
