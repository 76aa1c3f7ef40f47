import type { FaultMode, FaultSwitches } from "../engine/faults.ts";
import type { LabImageio } from "../imageio/lab-imageio.ts";

const SLOW_EXTENTS_MS = 5_000;

const RESTART_MS = 1_000;

/** Passes the faults of the data path on to the lab's imageio. */
export function connectFaults(switches: FaultSwitches, daemon: LabImageio): void {
  const imageio = daemon.faults;
  let isDown = false;
  const restart = async (mode: FaultMode): Promise<void> => {
    if (isDown === (mode !== "off")) return;
    isDown = !isDown;
    await (isDown ? daemon.goDown() : daemon.comeBack());
    if (mode === "once") setTimeout(() => void switches.set("imageio-restart", "off"), RESTART_MS);
  };
  switches.onSet(async (name, mode) => {
    if (name === "imageio-restart") await restart(mode);
    const imageioMode = mode === "on" ? "always" : mode;
    if (name === "transfer-cut") imageio.cutReads = imageioMode;
    if (name === "ticket-expiry") imageio.expireTickets = imageioMode;
    if (name === "slow-extents") imageio.extentsDelayMs = mode === "off" ? 0 : SLOW_EXTENTS_MS;
    if (name === "idle-close") imageio.idleClose = imageioMode;
  });
}
