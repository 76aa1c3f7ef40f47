import type { XmlElement } from "../engine/xml-element.ts";

/** A transfer of a disk through imageio. */
export interface ImageTransfer {
  readonly id: string;
  /**
   * `initializing`, `transferring`, `resuming`, `paused_user`, `paused_system`, `finalizing_success`, `finalizing_failure`,
   * `finalizing_cleanup`, `cancelled_user`, `cancelled_system` (`cancelled` before 4.3.5), `finished_success`,
   * `finished_failure`, `finished_cleanup`, `unknown`.
   */
  readonly phase: string;
  /** `download` or `upload`. */
  readonly direction: string | undefined;
  /** `raw` or `cow`. Engines before late 4.3 ignore the request: check the echoed format. */
  readonly format: string | undefined;
  /** imageio on the host. Appears once a ticket exists. Secret: the ticket in it is the only credential. */
  readonly transferUrl: string | undefined;
  /** imageio on the engine. Secret like `transferUrl`. */
  readonly proxyUrl: string | undefined;
  /** Up to 4.3: to be sent as `Authorization` to the proxy. */
  readonly signedTicket: string | undefined;
  readonly hostId: string | undefined;
  readonly diskId: string | undefined;
  readonly imageId: string | undefined;
  readonly snapshotId: string | undefined;
  readonly backupId: string | undefined;
  readonly active: boolean | undefined;
  readonly transferredBytes: number | undefined;
  /** In seconds, as the engine has it. */
  readonly inactivityTimeoutSeconds: number | undefined;
  /** `legacy`, `pause`, `cancel` (4.4.5). */
  readonly timeoutPolicy: string | undefined;
  readonly shallow: boolean | undefined;
}

/** Parses one `<image_transfer>`. */
export function parseImageTransfer(element: XmlElement): ImageTransfer {
  return {
    id: element.requireId("image_transfer"),
    phase: element.value("phase") ?? "unknown",
    direction: element.value("direction"),
    format: element.value("format"),
    transferUrl: element.value("transfer_url"),
    proxyUrl: element.value("proxy_url"),
    signedTicket: element.value("signed_ticket"),
    hostId: element.idOf("host"),
    diskId: element.idOf("disk"),
    imageId: element.idOf("image"),
    snapshotId: element.idOf("snapshot"),
    backupId: element.idOf("backup"),
    active: element.bool("active"),
    transferredBytes: element.int("transferred"),
    inactivityTimeoutSeconds: element.int("inactivity_timeout"),
    timeoutPolicy: element.value("timeout_policy"),
    shallow: element.bool("shallow"),
  };
}

/** True when the phase is final. `finished_cleanup` still moves on to `finished_failure`. */
export function isFinalTransferPhase(phase: string): boolean {
  return phase === "finished_success" || phase === "finished_failure";
}
