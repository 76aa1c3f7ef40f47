import { rm } from "node:fs/promises";
import { join } from "node:path";

import { hasCode, StoreUnavailableError } from "@ovault/contract";
import { newRunId } from "@ovault/core";

import type { Installation } from "../installation/installation.ts";
import type { JobContext } from "../job-context.ts";
import { isUnwritable } from "../serve/hold-served-point.ts";
import type { SharedPointDescription } from "./share-description.ts";
import { ShareDirectory } from "./share-directory.ts";

/**
 * Releases the points of a share and removes its directory, with everything that hosts have written. Call it again when it
 * fails or was killed half way.
 * @throws NotFoundError when there is no such share; UsageError while it is served; errors of a destination
 */
export async function removeShare(
  installation: Installation,
  name: string,
  { signal }: Pick<JobContext, "signal">,
): Promise<void> {
  const directory = new ShareDirectory(installation.configuration.stateDirectory, name);
  const { points } = await directory.description();
  await using _lock = await directory.lock();
  for (const point of points) await releasePoint(installation, directory, point, signal);
  for (const part of ["tree", "overlays", "volumes.json", "points"]) {
    await rm(join(directory.path, part), { recursive: true, force: true });
  }
  // Last: a share is there as long as it is described.
  await rm(directory.path, { recursive: true, force: true });
}

async function releasePoint(
  installation: Installation,
  directory: ShareDirectory,
  { destination, hold: keptAs }: SharedPointDescription,
  signal: AbortSignal,
): Promise<void> {
  const point = await directory.point(keptAs);
  // Kept before the hold is taken.
  if (point === undefined) return;
  const store = await installation.points(destination);
  try {
    const hold = await store.hold(point, { runId: newRunId(), keptAs, signal });
    await hold.release();
    await hold.assertHeld(signal);
  } catch (error) {
    // Released; nothing is left to hold; or it could never be held.
    if (hasCode(error, "E_NOT_FOUND") || isUnwritable(error)) return;
    throw error;
  }
  throw new StoreUnavailableError(`the hold on ${point.id} could not be removed from the destination`, {
    context: { point: point.id },
    retry: "transient",
  });
}
