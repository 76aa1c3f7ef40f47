import { z } from "zod";

/** Options of every strategy that moves data through imageio. */
export const transferOptions = {
  /** Connections to imageio on one host, over all disks of a run. */
  connectionsPerHost: z.int().min(1).max(8).default(8),
  /**
   * How long a transfer may be silent before engine and host give up on it. Long, because a slow destination must not
   * end a backup; not for ever, because what a dead run left should end by itself.
   */
  inactivityTimeoutSeconds: z.int().min(60).max(86_400).default(900),
};

export interface TransferOptions {
  /** Connections to one host, over all disks together; 1 to 8. */
  readonly connectionsPerHost: number;
  /** Both the engine and the host give up on a transfer that is silent for so long. */
  readonly inactivityTimeoutSeconds: number;
}
