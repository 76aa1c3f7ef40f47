import type { Quiesce } from "@ovault/contract";

/** What the start of a backup requests beyond the data. */
export interface StartOptions {
  /** Read only changes since this checkpoint, where a disk can. */
  readonly checkpointId: string | undefined;
  /** Fail unless the guest's file systems could be frozen. */
  readonly consistent: boolean;
}

const OF_FREEZING = /freez|guest agent|consisten/i;
const OF_CHECKPOINTS = /checkpoint|bitmap|incremental/i;

/**
 * The next start to try after one that failed for this reason; undefined when there is nothing left to drop. Engines
 * often omit the reason, so the cheaper loss goes first: a guest without an agent must not cause a full backup.
 */
export function relaxStart(terms: StartOptions, reason: string, quiesce: Quiesce): StartOptions | undefined {
  const withoutFreeze = terms.consistent && quiesce !== "require" ? { ...terms, consistent: false } : undefined;
  const withoutCheckpoint = terms.checkpointId === undefined ? undefined : { ...terms, checkpointId: undefined };
  if (isFreezeFailure(terms, reason)) return withoutFreeze;
  if (OF_CHECKPOINTS.test(reason) && withoutCheckpoint !== undefined) return withoutCheckpoint;
  return withoutFreeze ?? withoutCheckpoint;
}

/** True when a start failed because the guest could not be frozen, as far as the engine says. */
export function isFreezeFailure(terms: StartOptions, reason: string): boolean {
  return terms.consistent && OF_FREEZING.test(reason);
}
