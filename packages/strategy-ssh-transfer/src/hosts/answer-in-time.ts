import type { Host } from "@ovault/ovirt";

import { HypervisorError } from "../errors.ts";

/** A limit for several steps together, which begins now. */
export interface Deadline {
  readonly ms: number;
  readonly passed: AbortSignal;
}

export function deadlineIn(ms: number): Deadline {
  return { ms, passed: AbortSignal.timeout(ms) };
}

/** @throws HypervisorError, transient, when `work` at the host takes too long; the signal's reason */
export async function answerInTime<T>(
  { id, name }: Pick<Host, "id" | "name">,
  { ms, passed }: Deadline,
  work: (signal: AbortSignal) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  try {
    return await work(signal === undefined ? passed : AbortSignal.any([signal, passed]));
  } catch (error) {
    if (!passed.aborted || signal?.aborted) throw error;
    throw new HypervisorError(`host ${name} did not answer within ${ms / 1_000} s`, {
      cause: error,
      context: { host: id, hostName: name },
      retry: "transient",
      hint: "Does it run? Is it overloaded, or does it wait for its storage?",
    });
  }
}
