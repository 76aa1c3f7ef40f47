import type { FaultSwitches } from "../engine/faults.ts";
import type { ImageioFaults } from "../imageio/faults.ts";

const SLOW_EXTENTS_MS = 5_000;

/** Passes the faults that lie in the data path on to the lab's imageio. */
export function connectFaults(switches: FaultSwitches, imageio: ImageioFaults): void {
  switches.onSet((name, mode) => {
    const imageioMode = mode === "on" ? "always" : mode;
    if (name === "transfer-cut") imageio.cutReads = imageioMode;
    if (name === "ticket-expiry") imageio.expireTickets = imageioMode;
    if (name === "slow-extents") imageio.extentsDelayMs = mode === "off" ? 0 : SLOW_EXTENTS_MS;
    if (name === "idle-close") imageio.idleClose = imageioMode;
  });
}
