import type { FileHandle } from "node:fs/promises";

import type { Device } from "./device.ts";
import { runTool } from "./run-tool.ts";
import { writeFully } from "./write-fully.ts";

/** Writing zeros is faster for shorter ranges than starting a program. */
const WORTH_A_PROGRAM_BYTES = 16 * 1024 * 1024;
/** Limit of one call, so that a cancelled restore ends soon. */
const STEP_BYTES = 1024 * 1024 * 1024;
const STEP_TIMEOUT_MS = 10 * 60_000;
const ZEROS = Buffer.alloc(1024 * 1024);

export interface ZeroRange {
  readonly offset: number;
  readonly length: number;
}

/**
 * Makes a range read as zeros, allocated. Lets the storage do it where possible (`fallocate` requests it without a
 * second exclusive open of the device, unlike `blkdiscard --zeroout`); otherwise writes zeros.
 */
export async function zeroRange(
  { path }: Device,
  file: FileHandle,
  { offset, length }: ZeroRange,
  signal: AbortSignal,
): Promise<void> {
  for (let done = 0; done < length; done += STEP_BYTES) {
    const step = { offset: offset + done, length: Math.min(STEP_BYTES, length - done) };
    const storageDid = step.length >= WORTH_A_PROGRAM_BYTES && (await askStorage(path, step, signal));
    if (!storageDid) await writeZeros(file, step, signal);
  }
}

async function askStorage(path: string, { offset, length }: ZeroRange, signal: AbortSignal): Promise<boolean> {
  const args = ["--zero-range", "--offset", String(offset), "--length", String(length), path];
  try {
    return (await runTool("fallocate", args, { timeoutMs: STEP_TIMEOUT_MS, signal })) !== undefined;
  } catch {
    signal.throwIfAborted();
    return false;
  }
}

async function writeZeros(file: FileHandle, { offset, length }: ZeroRange, signal: AbortSignal): Promise<void> {
  for (let done = 0; done < length; done += ZEROS.byteLength) {
    signal.throwIfAborted();
    await writeFully(file, offset + done, ZEROS.subarray(0, length - done));
  }
}
