import { runTool } from "./run-tool.ts";

const TIMEOUT_MS = 15_000;

/** Waits until udev has dealt with the devices that came and went. Where there is no udev, there is nothing to wait for. */
export async function settle(signal: AbortSignal): Promise<void> {
  try {
    await runTool("udevadm", ["settle", "--timeout=10"], { timeoutMs: TIMEOUT_MS, signal });
  } catch {
    // Whoever looks for a device goes on looking anyway.
    signal.throwIfAborted();
  }
}
