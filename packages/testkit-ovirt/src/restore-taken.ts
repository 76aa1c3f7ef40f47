import { randomUUID } from "node:crypto";

import {
  createRunHooks,
  type DiskTarget,
  type RestoreRequest,
  type RestoreSession,
  type RunContext,
  type RunHooks,
  type Strategy,
} from "@ovault/contract";
import type { Ledger } from "@ovault/core";
import type { TakenBackup } from "@ovault/testkit";

import { never } from "./never.ts";

const STEP_BYTES = 256 * 1024;

export interface RestoreWishes<S extends Strategy = Strategy> {
  /** Replaces the bench's own. */
  readonly strategy?: S;
  readonly wishes?: Partial<RestoreRequest>;
  /** Replaces writing, flushing and committing. */
  readonly instead?: (session: RestoreSession) => Promise<void>;
  /** After a failure: do nothing more, as if the process had been killed. */
  readonly abandon?: boolean;
  readonly signal?: AbortSignal;
  /** With taps of the test. */
  readonly hooks?: RunHooks;
}

/** Restores all of a point as a machine with this name and new MAC addresses. */
export function restoreRequest({ point }: TakenBackup, name: string): RestoreRequest {
  return { point, disks: point.disks, name, networks: new Map(), mac: "new", start: false };
}

/** Acts as a restore does, from images in memory. A failed restore aborts its session. Resolves to the warnings. */
export async function restoreTaken(
  { strategy, ledger, manager }: { strategy: Strategy; ledger: Ledger; manager: string },
  request: RestoreRequest,
  images: TakenBackup["images"],
  { instead, abandon = false, signal = never, hooks = createRunHooks() }: RestoreWishes,
): Promise<readonly string[]> {
  const runId = randomUUID();
  const warnings: string[] = [];
  hooks.warning.tap("bench", (message) => warnings.push(message));
  const own = await ledger.forRun({ runId, manager, strategy: strategy.name });
  const context: RunContext = { runId, ledger: own, hooks, signal };
  try {
    const session = await strategy.openRestore(request, context);
    try {
      await (instead === undefined ? fillAll(session, images, signal) : instead(session));
      return warnings;
    } catch (error) {
      if (!abandon) await session.abort();
      throw error;
    }
  } finally {
    await own.end();
  }
}

async function fillAll(session: RestoreSession, images: TakenBackup["images"], signal: AbortSignal): Promise<void> {
  for (const target of session.disks) await fillTarget(target, images.get(target.diskId), signal);
  await session.commit();
}

/** Writes an image into a new disk, zeros as zeros, and flushes it. */
export async function fillTarget(
  target: DiskTarget,
  image: Uint8Array | undefined,
  signal: AbortSignal = never,
): Promise<void> {
  if (image === undefined) throw new Error(`no image for disk ${target.diskId}`);
  for (let offset = 0; offset < image.length; offset += STEP_BYTES) {
    const part = image.subarray(offset, offset + STEP_BYTES);
    if (Buffer.alloc(part.length).equals(part)) await target.zero(offset, part.length, signal);
    else await target.write(offset, part, signal);
  }
  await target.flush(signal);
}
