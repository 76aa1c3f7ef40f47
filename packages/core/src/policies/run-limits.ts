/** How many machines are copied at once; and how many more, at most, end their backup on the manager meanwhile. */
export interface RunLimits {
  readonly total: number;
  readonly perManager: number;
  /** A hypervisor. Machines that are off count for none. */
  readonly perHost: number;
  readonly perStorageDomain: number;
  /** With 0, the next copy waits until the backup before it is over. */
  readonly finalizing: number;
}

/** Gentle to hosts and storage that also have their own work to do. */
export const DEFAULT_RUN_LIMITS: RunLimits = {
  total: 4,
  perManager: 4,
  perHost: 2,
  perStorageDomain: 4,
  finalizing: 4,
};
