import { runTool } from "./run-tool.ts";

const TIMEOUT_MS = 15_000;

/** Waits until udev has processed recent device changes. Returns at once without udev. */
export async function settle(signal: AbortSignal): Promise<void> {
  try {
    await runTool("udevadm", ["settle", "--timeout=10"], { timeoutMs: TIMEOUT_MS, signal });
  } catch {
    // The search for a device retries anyway.
    signal.throwIfAborted();
  }
}
