import { z } from "zod";

/** Options of every strategy that moves data through imageio. */
export const transferOptions = {
  /** Connections to imageio on one host, over all disks of a run. */
  connectionsPerHost: z.int().min(1).max(8).default(8),
  /**
   * How long a transfer may be idle before engine and host end it. Long, so that a slow destination does not end a
   * backup; limited, so that leftovers of a dead run end by themselves.
   */
  inactivityTimeoutSeconds: z.int().min(60).max(86_400).default(900),
};

export interface TransferOptions {
  /** Connections to one host, over all disks together; 1 to 8. */
  readonly connectionsPerHost: number;
  /** Engine and host end a transfer after this time without activity. */
  readonly inactivityTimeoutSeconds: number;
}
