import { messageOf } from "@ovault/contract";
import { arrived, pending, wasRefused, type EngineApi, type EngineDisk, type StorageDomain } from "@ovault/ovirt";

import { isRefusal } from "../domain/refused-share.ts";
import { MoveFailedError } from "../errors.ts";

/** A move copies all data of a disk, behind other moves of its machine. */
const MOVE_DEADLINE_MS = 7 * 24 * 3_600_000;

/**
 * Moves a disk, live where its machine runs, and waits until it is there. Waits for a move that an earlier run asked
 * for; succeeds if the disk is there already.
 *
 * @throws MoveFailedError when the engine gives up: the disk is where it was, and can be moved again
 */
export async function moveDisk(
  api: EngineApi,
  disk: Pick<EngineDisk, "id" | "alias">,
  target: StorageDomain,
  signal: AbortSignal,
): Promise<void> {
  const { id, alias } = disk;
  const before = await settledDisk(api, disk, signal);
  if (isOn(before, target)) return;
  try {
    await api.disks.move(id, target.id, signal);
  } catch (error) {
    if (isRefusal(error)) throw failed(alias, target, error);
    // After a lost answer the disk shows whether it moves.
    if (wasRefused(error, signal)) throw error;
  }
  let idleSince = performance.now();
  await api.wait(
    `disk ${alias} to be moved to ${target.name}`,
    async (pollSignal) => {
      const now = await api.disks.get(id, pollSignal);
      if (now.status === "illegal") throw failed(alias, target);
      if (now.status !== "ok") {
        idleSince = Infinity;
        return pending(now.status);
      }
      if (isOn(now, target)) return arrived(undefined);
      // Between its steps the engine may show the disk unlocked for a moment.
      if (idleSince === Infinity) idleSince = performance.now();
      if (performance.now() - idleSince > api.inFlightMs) throw failed(alias, target);
      return pending("still where it was");
    },
    { deadlineMs: MOVE_DEADLINE_MS, signal, justAsked: true },
  );
}

/** A disk that no move of an earlier run, nor anything else, locks. */
export function settledDisk(
  api: EngineApi,
  { id, alias }: Pick<EngineDisk, "id" | "alias">,
  signal: AbortSignal,
): Promise<EngineDisk> {
  return api.wait(
    `disk ${alias} to be unlocked`,
    async (pollSignal) => {
      const disk = await api.disks.get(id, pollSignal);
      return disk.status === "locked" ? pending(disk.status) : arrived(disk);
    },
    { deadlineMs: MOVE_DEADLINE_MS, signal },
  );
}

function isOn({ storageDomainIds }: EngineDisk, { id }: StorageDomain): boolean {
  return storageDomainIds.includes(id);
}

function failed(alias: string, { name }: StorageDomain, cause?: unknown): MoveFailedError {
  const why = cause === undefined ? "" : `: ${messageOf(cause)}`;
  return new MoveFailedError(`the engine did not move disk ${alias} to ${name}${why}`, {
    ...(cause !== undefined && { cause }),
    hint: "The machine runs on from where it was. The engine's events say why; run the migration again: it goes on.",
  });
}
