/**
 * The data path of image transfers: an imageio daemon, seen from the engine that hands it tickets. Two kinds exist: the
 * lab's own endpoint (LabImageio) and a real ovirt-imageio daemon reached by its control socket (RealImageio).
 * Sizes are bytes, times are seconds as in imageio itself. Errors are `ImageioError` and its kinds.
 */
export interface ImageioDaemon {
  /** A ticket of the same id is replaced. */
  addTicket(ticket: ImageioTicket): Promise<void>;
  /** Sets a new time-out, counted from now; an expired ticket lives again. */
  extendTicket(ticketId: string, timeoutSeconds: number): Promise<void>;
  /**
   * Cancels a ticket and waits for the requests under way. Removing what is not there is not an error.
   * @throws TicketBusyError when they do not end in time; the ticket is then cancelled but still there, so call again
   */
  removeTicket(ticketId: string): Promise<void>;
  /** Undefined: no such ticket, e.g. after a restart of the daemon. */
  ticketInfo(ticketId: string): Promise<TicketInfo | undefined>;
  /** What clients are told as `transfer_url`. */
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
  /** After so long without a request an idle connection is closed, silently. */
  readonly inactivityTimeoutSeconds: number;
  /** Offers dirty extents; the export must have a `qemu:dirty-bitmap:` context. */
  readonly dirty: boolean;
  /** Name of that bitmap. */
  readonly bitmap?: string;
  /** The daemon is of a release that tells extents (4.4). Default true. */
  readonly extents?: boolean;
  /** Zeroed ranges may give their space back. Default true. */
  readonly sparse?: boolean;
  /** File name offered to browsers. */
  readonly filename?: string;
  /** Names the transfer in error texts. */
  readonly transferId?: string;
}

/** `file`: the bytes of a volume file as they lie there, e.g. a qcow2 with its header. */
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
