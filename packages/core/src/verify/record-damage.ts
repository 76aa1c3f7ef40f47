import { StoreError, messageOf } from "@ovault/contract";
import { LostMarks } from "../losses/lost-marks.ts";
import type { Repository } from "../repository/repository.ts";
import type { DamagedPoints } from "./damaged-points.ts";
import type { PackFindings } from "./pack-findings.ts";
import { settleDamage } from "./settle-damage.ts";

export interface DamageToRecord {
  readonly findings: PackFindings;
  /** Whether a pack exists, or should. */
  readonly exists: (pack: string) => boolean;
  /** What points have lost: only these record chunks that are in no pack. */
  readonly losses: DamagedPoints["losses"];
}

/** Records damage for all nodes, as far as possible. Answers what could not be recorded, for people. */
export async function recordDamage(
  repository: Repository,
  { findings, exists, losses }: DamageToRecord,
  signal: AbortSignal,
): Promise<readonly string[]> {
  findings.addReads(repository);
  return await asWellAsPossible("what was found damaged", async () => {
    await (await settleDamage(repository, { ...findings, exists }, signal)).write(signal);
    if (losses.size === 0) return;
    const marks = await LostMarks.read(repository, signal);
    for (const [point, disks] of losses) await marks.set(point, disks, signal);
  });
}

/** A store that refuses writes, for now or for good, does not invalidate the findings. */
export async function asWellAsPossible(what: string, write: () => Promise<void>): Promise<readonly string[]> {
  try {
    await write();
    return [];
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    return [`${what} could not be written down at the destination: ${messageOf(error)}`];
  }
}
