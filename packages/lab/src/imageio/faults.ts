/** `once`: the next time only. */
export type FaultMode = "off" | "once" | "always";

/** What can be made to go wrong in the lab's imageio endpoint, at any time. */
export class ImageioFaults {
  /** A download ends in the middle of its bytes. */
  cutReads: FaultMode = "off";
  /** Requests on tickets are answered 500. */
  failRequests: FaultMode = "off";
  /** Lists of extents come so much later, in ms. */
  extentsDelayMs = 0;
  /** Idle connections are closed, silently, after so many ms instead of the ticket's own time. */
  idleCloseMs: number | undefined = undefined;

  /** Whether the fault strikes now; "once" is used up by asking. */
  strikes(fault: "cutReads" | "failRequests"): boolean {
    const mode = this[fault];
    if (mode === "once") this[fault] = "off";
    return mode !== "off";
  }
}
