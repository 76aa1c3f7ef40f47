import type { Quiesce } from "@ovault/contract";

/** What the start of a backup asks for beyond the data. */
export interface StartOptions {
  /** Take what changed since then, where a disk can. */
  readonly checkpointId: string | undefined;
  /** Fail unless the guest's file systems could be frozen. */
  readonly consistent: boolean;
}

const OF_FREEZING = /freez|guest agent|consisten/i;
const OF_CHECKPOINTS = /checkpoint|bitmap|incremental/i;

/**
 * What to ask for after a start that failed for this reason; undefined when there is nothing to give up. Engines often do
 * not tell the reason: what costs less goes first, for the machine is not read in full because its guest has no agent.
 */
export function relaxStart(terms: StartOptions, reason: string, quiesce: Quiesce): StartOptions | undefined {
  const withoutFreeze = terms.consistent && quiesce !== "require" ? { ...terms, consistent: false } : undefined;
  const withoutCheckpoint = terms.checkpointId === undefined ? undefined : { ...terms, checkpointId: undefined };
  if (isFreezeFailure(terms, reason)) return withoutFreeze;
  if (OF_CHECKPOINTS.test(reason) && withoutCheckpoint !== undefined) return withoutCheckpoint;
  return withoutFreeze ?? withoutCheckpoint;
}

/** True when a start failed because the guest could not be frozen, as far as the engine tells. */
export function isFreezeFailure(terms: StartOptions, reason: string): boolean {
  return terms.consistent && OF_FREEZING.test(reason);
}
