/** `once`: the next time only. */
export type FaultMode = "off" | "once" | "always";

/** What can be made to go wrong in the lab's imageio endpoint, at any time. */
export class ImageioFaults {
  /** A download ends in the middle of its bytes. */
  cutReads: FaultMode = "off";
  /** Requests on tickets are answered 500. */
  failRequests: FaultMode = "off";
  /** Requests on tickets are answered 403, as after the ticket's end. */
  expireTickets: FaultMode = "off";
  /** Lists of extents come so much later, in ms. */
  extentsDelayMs = 0;
  /** A request on a connection that was kept alive meets a closed one, as after an idle time-out: no answer at all. */
  idleClose: FaultMode = "off";

  /** Whether the fault strikes now; "once" is used up by asking. */
  strikes(fault: "cutReads" | "expireTickets" | "failRequests" | "idleClose"): boolean {
    const mode = this[fault];
    if (mode === "once") this[fault] = "off";
    return mode !== "off";
  }
}
