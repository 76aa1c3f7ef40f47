import type { Repository } from "../repository/repository.ts";
import { type Clock, type RecoveryPoint, systemClock } from "@ovault/contract";
import { earliest } from "../util/earliest.ts";
import { chunksByMachine } from "./chunks-by-machine.ts";
import { currentPoints } from "./current-points.ts";
import { previewDeletion, type PreviewOptions } from "./preview-deletion.ts";
import { type MachineSpace, machineSpace } from "./machine-space.ts";
import { otherObjects } from "./other-objects.ts";
import { packSpace, type PackSum } from "./pack-space.ts";
import { PackSurvey } from "./pack-survey.ts";
import { PackUse } from "./pack-use.ts";
import { DEFAULT_GRACE_MS } from "./prune-report.ts";
import { type BlockingRun, heldKeys, mayRelyOn, runOf, runsUnderWay, type RunsUnderWay } from "./blocking-runs.ts";

export interface SpaceOptions {
  /** The grace time of prune. */
  readonly graceMs?: number;
  /** Called with the number of pages of block maps read. */
  readonly onProgress?: (pages: number) => void;
  readonly signal: AbortSignal;
  readonly clock?: Clock;
}

/**
 * How the space of a destination is used. Sizes in bytes, as the store lists objects; of sealed objects without their
 * seal. Every object is in one of the sums, and `totalBytes` is all of them.
 */
export interface SpaceReport {
  readonly totalBytes: number;
  /** Blocks of disks that points need, as stored. */
  readonly dataBytes: number;
  readonly metadata: MetadataSpace;
  /** Not needed, in packs of which something is needed: a repack frees them. */
  readonly deadBytes: number;
  /** Packs in which nothing is needed: the next prune condemns them, unless there are `heldByLosses`. */
  readonly deadPacks: PackSum;
  /** Put by active runs, and not needed by any point yet. */
  readonly underWay: PackSum;
  readonly condemned: CondemnedSpace;
  readonly deletable: DeletableSpace;
  /** Ids of points with lost pages of block maps: while there are any, prune condemns no pack and gives none up. */
  readonly heldByLosses: readonly string[];
  /** Packs that no index object lists and whose directory is damaged. */
  readonly unreadable: PackSum;
  /** Objects that ovault did not make. */
  readonly foreign: { readonly objects: number; readonly bytes: number };
  /** Sum over the disks of all points. */
  readonly logicalBytes: number;
  /** Blocks that points need, each counted once, before compression. */
  readonly plainBytes: number;
  /** Chunks and pages that several virtual machines need. */
  readonly sharedBytes: number;
  /** By `ownBytes`, largest first. */
  readonly machines: readonly MachineSpace[];
}

/** What finding the data takes. */
export interface MetadataSpace {
  /** Pages of block maps. */
  readonly pageBytes: number;
  /** Headers and directories of packs. */
  readonly packBytes: number;
  readonly indexBytes: number;
  /** Of points, forgotten ones included. */
  readonly manifestBytes: number;
  /** Settings, keys, leases and records. */
  readonly otherBytes: number;
}

/** Condemned, without a verdict. */
export interface CondemnedSpace extends PackSum {
  /** When the first grace time ends, ISO 8601; null when nothing waits for one. */
  readonly graceUntil: string | null;
  /** Runs that may still rely on some of it. */
  readonly heldBy: readonly BlockingRun[];
}

/** Given up by verdicts: the next prune deletes what the store does not lock. */
export interface DeletableSpace extends PackSum {
  /** The part that the store locks. */
  readonly lockedBytes: number;
  /** When the first of these locks ends, ISO 8601. */
  readonly lockedUntil: string | null;
}

/**
 * Determines how the space of a destination is used, with the methods of prune. Changes nothing and takes no lease:
 * concurrent changes may be counted or not.
 * @throws IntegrityError when the needs of a point cannot be determined
 */
export async function spaceReport(
  repository: Repository,
  { graceMs = DEFAULT_GRACE_MS, onProgress, signal, clock = systemClock }: SpaceOptions,
): Promise<SpaceReport> {
  const { store, index } = repository;
  let under: RunsUnderWay = { writers: [], holds: [] };
  const between = async (): Promise<void> => {
    under = await runsUnderWay(store, { takeOverAs: undefined, clock, signal });
  };
  const survey = await PackSurvey.take(repository, { between, signal });
  const { writers } = under;
  const { points, hasLosses } = await currentPoints(repository, heldKeys(under), signal);
  let pages = 0;
  const onPage = (): void => onProgress?.((pages += 1));
  const incomplete = new Set<string>();
  const onLostPage = ({ id }: RecoveryPoint): void => void incomplete.add(id);
  const byMachine = await chunksByMachine(repository, points, { hasLosses, onPage, onLostPage, signal });
  await survey.update(repository, signal);
  const use = PackUse.measure(index, byMachine.owners);
  const running = writers.map(({ claim }) => claim.holder.runId);
  const { dataBytes, pageBytes, packBytes, deadBytes, ...packs } = packSpace(repository, { survey, use, running });
  const { foreign, ...objects } = await otherObjects(repository, signal);
  const metadata = { pageBytes, packBytes, ...objects };
  const sums = [...Object.values(packs), foreign].map(({ bytes }) => bytes);
  const now = clock.now();
  return {
    totalBytes: sum([dataBytes, deadBytes, ...Object.values(metadata), ...sums]),
    dataBytes,
    metadata,
    deadBytes,
    ...packs,
    condemned: { ...packs.condemned, ...waitsFor(repository, writers, { graceMs, now }) },
    deletable: { ...packs.deletable, ...(await locksOf(repository, { survey, now, signal })) },
    heldByLosses: [...incomplete].toSorted(),
    foreign,
    logicalBytes: sum(byMachine.machines.map(({ logicalBytes }) => logicalBytes)),
    ...machineSpace(index, use, byMachine),
  };
}

/** What condemned packs wait for. */
function waitsFor(
  { store, condemned }: Repository,
  writers: RunsUnderWay["writers"],
  { graceMs, now }: { readonly graceMs: number; readonly now: Date },
): Pick<CondemnedSpace, "graceUntil" | "heldBy"> {
  const undecided = condemned.documents.filter(({ verdict }) => verdict === undefined);
  const ends = undecided.map(({ at }) => new Date(Date.parse(at) + graceMs)).filter((end) => end > now);
  const holders = writers.filter((lease) => undecided.some((document) => mayRelyOn(lease, document, store)));
  return { graceUntil: earliest(ends)?.toISOString() ?? null, heldBy: holders.map(runOf) };
}

/** Locks on packs that verdicts give up. */
async function locksOf(
  repository: Repository,
  options: PreviewOptions,
): Promise<Pick<DeletableSpace, "lockedBytes" | "lockedUntil">> {
  let lockedBytes = 0;
  const ends: Date[] = [];
  for (const { verdict } of repository.condemned.documents) {
    if (verdict === undefined) continue;
    const { packs, lockedUntil } = await previewDeletion(repository, verdict, options);
    lockedBytes += sum(packs.filter(({ isLocked }) => isLocked).map(({ bytes }) => bytes));
    if (lockedUntil !== undefined) ends.push(lockedUntil);
  }
  return { lockedBytes, lockedUntil: earliest(ends)?.toISOString() ?? null };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
