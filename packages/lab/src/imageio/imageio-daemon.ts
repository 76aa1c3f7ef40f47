/**
 * The data path of image transfers: an imageio daemon, seen from the engine that gives it tickets. Two kinds exist: the
 * lab's own endpoint (LabImageio) and a real ovirt-imageio daemon reached by its control socket (RealImageio).
 * Sizes are bytes, times are seconds as in imageio itself. Errors are `ImageioError` and its kinds.
 */
export interface ImageioDaemon {
  /** Replaces a ticket of the same id. */
  addTicket(ticket: ImageioTicket): Promise<void>;
  /** Sets a new time-out, counted from now; revives an expired ticket. */
  extendTicket(ticketId: string, timeoutSeconds: number): Promise<void>;
  /**
   * Cancels a ticket and waits for the requests under way. Idempotent.
   * @throws TicketBusyError when they do not end in time; the ticket is then cancelled but still exists, so call again
   */
  removeTicket(ticketId: string): Promise<void>;
  /** `undefined`: no such ticket, e.g. after a restart of the daemon. */
  ticketInfo(ticketId: string): Promise<TicketInfo | undefined>;
  /** The `transfer_url` for clients. */
  transferUrl(ticketId: string): string;
  close(): Promise<void>;
}

export interface ImageioTicket {
  readonly uuid: string;
  /** The engine's idea of the size. Ranges past it are refused. */
  readonly sizeBytes: number;
  readonly source: TicketSource;
  /** `write` implies read. */
  readonly ops: readonly ("read" | "write")[];
  /** Life of the ticket without any finished request. */
  readonly timeoutSeconds: number;
  /** Idle time after which the daemon silently closes a connection. */
  readonly inactivityTimeoutSeconds: number;
  /** Offers dirty extents; the export must have a `qemu:dirty-bitmap:` context. */
  readonly dirty: boolean;
  /** Name of that bitmap. */
  readonly bitmap?: string;
  /** The daemon reports extents (from 4.4 on). Default true. */
  readonly extents?: boolean;
  /** Zeroed ranges may free their space. Default true. */
  readonly sparse?: boolean;
  /** File name offered to browsers. */
  readonly filename?: string;
  /** Names the transfer in error texts. */
  readonly transferId?: string;
}

/** `file`: the raw bytes of a volume file, e.g. a qcow2 with its header. */
export type TicketSource =
  | { readonly kind: "nbd"; readonly path: string; readonly exportName: string }
  | { readonly kind: "file"; readonly path: string };

export interface TicketInfo {
  /** A request is under way. */
  readonly active: boolean;
  /** Distinct bytes of finished requests; absent for a ticket that may both read and write. */
  readonly transferredBytes?: number;
  /** Since the last request ended; 0 while active. */
  readonly idleSeconds: number;
  readonly expired: boolean;
}
