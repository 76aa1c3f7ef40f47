import { processIdentity } from "@ovault/contract";
import type { HeldClaim } from "./lease-folder.ts";

/**
 * Claims whose runs were of this process and are over, by their tokens, though the store may still show them: it failed
 * when they were to be released. That the process lives says nothing about these runs.
 */
const ended = new Set<string>();

const FIRST_PAUSE_MS = 5_000;
const LONGEST_PAUSE_MS = 5 * 60_000;
/** About an hour. A run of this process still takes over at once after that, and other nodes find the lease silent. */
const TRIES = 18;

/** The run of this claim is over: it beats and seals no more. Claims in the name of another process are not kept. */
export function endClaim({ token, holder }: Pick<HeldClaim, "token" | "holder">): void {
  const { node, pid, bootId, startTicks } = processIdentity();
  const isOurs = holder.node === node && holder.pid === pid && holder.bootId === bootId;
  if (isOurs && holder.startTicks === startTicks) ended.add(token);
}

/** True if this process knows that the run of the claim is over. False says nothing. */
export function isClaimEnded(token: string): boolean {
  return ended.has(token);
}

/** Tries a release that failed again, in the background, for the sake of other nodes. Keeps no process alive. */
export function releaseLater(release: () => Promise<void>, tries = TRIES, pauseMs = FIRST_PAUSE_MS): void {
  if (tries === 0) return;
  const tryAgain = async (): Promise<void> => {
    await release().catch(() => releaseLater(release, tries - 1, Math.min(2 * pauseMs, LONGEST_PAUSE_MS)));
  };
  setTimeout(() => void tryAgain(), pauseMs).unref();
}
