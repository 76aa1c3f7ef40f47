/** Limits of concurrent copies, and of the runs that meanwhile finalize on the manager. */
export interface RunLimits {
  readonly total: number;
  readonly perManager: number;
  /** Per hypervisor. Machines that are off count for none. */
  readonly perHost: number;
  readonly perStorageDomain: number;
  /** With 0, the next copy waits until the previous backup has ended. */
  readonly finalizing: number;
}

/** Low, to leave hosts and storage room for their own work. */
export const DEFAULT_RUN_LIMITS: RunLimits = {
  total: 4,
  perManager: 4,
  perHost: 2,
  perStorageDomain: 4,
  finalizing: 4,
};
