import { DeadlineError } from "@ovault/contract";

import type { EngineApi } from "../api/engine-api.ts";
import { orUndefined } from "../api/if-missing.ts";
import { EngineConflictError } from "../engine/errors.ts";
import { arrived, pending } from "../engine/wait.ts";
import { SnapshotRemovalError } from "./errors.ts";

export interface SnapshotToRemove {
  readonly vmId: string;
  readonly snapshotId: string;
  /** Deadline of the merge. */
  readonly deadlineMs: number;
}

/** Wait for a snapshot that is being made, or removed by another client. */
const LOCK_PATIENCE_MS = 2 * 60_000;
/** For everything except the merge: locks, and restarts of the engine. */
const CLEAN_UP_GRACE_MS = 15 * 60_000;
/** Polls that may show the snapshot untouched after the engine has accepted its removal. */
const LOOKS_BEFORE_LOCK = 10;

/**
 * Removes a snapshot and waits until its data is merged. Succeeds if it is gone already. Requests the removal once: a
 * merge that failed half way needs a person.
 *
 * @throws SnapshotRemovalError when it is locked, illegal, refused, or the merge failed; names the volumes and the next
 * step.
 */
export async function removeSnapshot(
  api: EngineApi,
  { vmId, snapshotId, deadlineMs }: SnapshotToRemove,
  signal: AbortSignal,
): Promise<void> {
  const now = await api.snapshots.find(vmId, snapshotId, signal);
  if (now === undefined) return;
  // Checks for illegal volumes before anything is merged.
  const volumes = (await orUndefined(api.vms.snapshotDisks(vmId, snapshotId, signal))) ?? [];
  const fail = (what: string, cause?: unknown): SnapshotRemovalError =>
    removalError(snapshotId, volumes, what, cause === undefined ? {} : { cause });
  const state = now.status === "ok" ? "ok" : await settledState(api, { vmId, snapshotId, deadlineMs }, signal);
  if (state === "gone") return;
  if (state !== "ok") throw fail(`it stays ${state}`);
  if (volumes.some(({ status }) => status === "illegal")) throw fail("an earlier merge has left a disk illegal");
  try {
    await api.snapshots.delete(vmId, snapshotId, signal);
  } catch (error) {
    if (error instanceof EngineConflictError) throw fail("the engine refuses", error);
    throw error;
  }
  let wasLocked = false;
  let untouched = 0;
  await api.wait(
    `snapshot ${snapshotId} to be removed`,
    async (pollSignal) => {
      const snapshot = await api.snapshots.find(vmId, snapshotId, pollSignal);
      if (snapshot === undefined) return arrived(undefined);
      if (snapshot.status !== "ok") wasLocked = true;
      else if (wasLocked || (untouched += 1) > LOOKS_BEFORE_LOCK) throw fail("the merge of its data failed");
      return pending(snapshot.status);
    },
    { deadlineMs, signal, justAsked: true },
  );
}

/** `removeSnapshot` for cleanup, independent of any run's signal. */
export function cleanUpSnapshot(api: EngineApi, snapshot: SnapshotToRemove): Promise<void> {
  return removeSnapshot(api, snapshot, AbortSignal.timeout(snapshot.deadlineMs + CLEAN_UP_GRACE_MS));
}

/** Waits for a snapshot that is being made, or removed by another client. Resolves to its state, or `gone`. */
async function settledState(
  api: EngineApi,
  { vmId, snapshotId, deadlineMs }: SnapshotToRemove,
  signal: AbortSignal,
): Promise<string> {
  let state = "locked";
  try {
    return await api.wait(
      `snapshot ${snapshotId} to be unlocked`,
      async (pollSignal) => {
        const snapshot = await api.snapshots.find(vmId, snapshotId, pollSignal);
        state = snapshot === undefined ? "gone" : (snapshot.status ?? "in transition");
        return state === "ok" || state === "gone" ? arrived(state) : pending(state);
      },
      { deadlineMs: Math.min(deadlineMs, LOCK_PATIENCE_MS), signal },
    );
  } catch (error) {
    if (error instanceof DeadlineError) return state;
    throw error;
  }
}

function removalError(
  snapshotId: string,
  volumes: readonly { readonly alias: string; readonly imageId: string | undefined }[],
  what: string,
  options: { readonly cause?: unknown },
): SnapshotRemovalError {
  const named = volumes.map(({ alias, imageId }) => `${alias} (volume ${imageId ?? "unknown"})`).join(", ");
  const held = named === "" ? "" : `; it holds ${named}`;
  return new SnapshotRemovalError(`snapshot ${snapshotId} cannot be removed: ${what}${held}`, {
    ...options,
    context: { snapshot: snapshotId, volumes: named },
    hint:
      "Do not power the virtual machine off now. Look at the engine's events and at these disks: when none is illegal and " +
      "the storage domain has room, delete the snapshot in the engine, or run `ovault doctor --fix`.",
  });
}
