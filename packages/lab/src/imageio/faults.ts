/** `once`: the next time only. */
export type FaultMode = "off" | "once" | "always";

/** Faults that can be injected into the lab's imageio endpoint at any time. */
export class ImageioFaults {
  /** A download ends in the middle of its bytes. */
  cutReads: FaultMode = "off";
  /** The endpoint answers requests on tickets with 500. */
  failRequests: FaultMode = "off";
  /** The endpoint answers requests on tickets with 403, as after the ticket's end. */
  expireTickets: FaultMode = "off";
  /** Delay of lists of extents, in ms. */
  extentsDelayMs = 0;
  /** The endpoint closes a kept-alive connection on the next request without an answer, as after an idle time-out. */
  idleClose: FaultMode = "off";

  /** Whether the fault strikes now; the call uses up "once". */
  strikes(fault: "cutReads" | "expireTickets" | "failRequests" | "idleClose"): boolean {
    const mode = this[fault];
    if (mode === "once") this[fault] = "off";
    return mode !== "off";
  }
}
