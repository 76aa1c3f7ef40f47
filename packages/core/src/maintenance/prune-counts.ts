import type { ObjectKey } from "@ovault/contract";
import { decidedPacks } from "../repository/packs/condemned-packs.ts";
import { packKey } from "../format/layout.ts";
import type { Repository } from "../repository/repository.ts";
import { earliest } from "../util/earliest.ts";
import type { DeletionOutcome } from "./execute-deletion.ts";
import type { PackSurvey } from "./pack-survey.ts";
import type { HeldPoint, PruneProgress, PruneReport } from "./prune-report.ts";
import { type BlockingRun, runOf, type RunsUnderWay } from "./blocking-runs.ts";

/** The state in which a prune leaves a pack. */
export type PackOutcome = "freed" | "locked" | "condemned" | "kept";

/** What a prune has done so far. Reports every change. */
export class PruneCounts {
  readonly #onProgress: ((progress: PruneProgress) => void) | undefined;
  readonly #runs = new Map<string, BlockingRun>();
  readonly #locksEnd: Date[] = [];
  /** Outcomes of packs by name, where a dry run differs from the store. */
  readonly #previewed = new Map<string, PackOutcome>();
  /** Names of packs. */
  readonly #misplaced = new Set<string>();
  /** Ids of points. */
  readonly #heldByLosses = new Set<string>();
  #heldPoints: readonly HeldPoint[] = [];
  #deletedPoints = 0;
  #repackedPacks = 0;
  #retained = { packs: 0, bytes: 0 };
  #progress: PruneProgress = {
    step: "listing packs",
    pages: 0,
    knownPages: 0,
    copiedBytes: 0,
    provedBytes: 0,
    freedPacks: 0,
    freedBytes: 0,
    extendedLocks: 0,
  };

  constructor(onProgress: ((progress: PruneProgress) => void) | undefined) {
    this.#onProgress = onProgress;
  }

  begin(step: PruneProgress["step"]): void {
    this.#change({ step });
  }

  knowPages(knownPages: number): void {
    this.#change({ knownPages });
  }

  page(): void {
    this.#change({ pages: this.#progress.pages + 1 });
  }

  copied(bytes: number): void {
    this.#change({ copiedBytes: this.#progress.copiedBytes + bytes });
  }

  proved(bytes: number): void {
    this.#change({ provedBytes: this.#progress.provedBytes + bytes });
  }

  freed(bytes: number): void {
    const { freedPacks, freedBytes } = this.#progress;
    this.#change({ freedPacks: freedPacks + 1, freedBytes: freedBytes + bytes });
  }

  extendedLock(): void {
    this.#change({ step: "extending locks", extendedLocks: this.#progress.extendedLocks + 1 });
  }

  repacked(packs: number): void {
    this.#repackedPacks += packs;
  }

  retained(sizes: readonly number[]): void {
    const { packs, bytes } = this.#retained;
    this.#retained = { packs: packs + sizes.length, bytes: sizes.reduce((sum, size) => sum + size, bytes) };
  }

  misplaced(packs: readonly string[]): void {
    for (const pack of packs) this.#misplaced.add(pack);
  }

  heldByLosses(points: Iterable<string>): void {
    for (const point of points) this.#heldByLosses.add(point);
  }

  heldBy(run: BlockingRun): void {
    this.#runs.set(run.runId, run);
  }

  /** @param marked keys of the manifests of forgotten points; others stay without being held */
  heldPoints(holds: RunsUnderWay["holds"], marked: ReadonlySet<ObjectKey>): void {
    this.#heldPoints = holds.flatMap((lease) =>
      lease.claim.holds
        .filter((key) => marked.has(key))
        .map((key) => ({
          point: key.slice(key.lastIndexOf("/") + 1),
          kept: lease.claim.kept === true,
          ...runOf(lease),
        })),
    );
  }

  addDeletion({ points, lockedUntil }: DeletionOutcome): void {
    this.#deletedPoints += points;
    if (lockedUntil !== undefined) this.#locksEnd.push(lockedUntil);
  }

  /** For a dry run: the outcome that a pack would have. */
  previewDeletion(pack: string, outcome: PackOutcome): void {
    this.#previewed.set(pack, outcome);
  }

  /** Includes the present state. */
  report({ index, condemned }: Repository, { survey, now, graceMs, dryRun }: ReportOptions): PruneReport {
    const decided = decidedPacks(condemned);
    const undecided = condemned.documents.filter(({ verdict }) => verdict === undefined);
    const waiting = new Set(undecided.flatMap(({ packs }) => packs));
    const outcomeOf = (name: string): PackOutcome =>
      this.#previewed.get(name) ?? (decided.has(name) ? "locked" : waiting.has(name) ? "condemned" : "kept");
    const tallies = { freed: new Tally(), locked: new Tally(), condemned: new Tally(), kept: new Tally() };
    for (const { name, bytes } of survey.packs(index)) tallies[outcomeOf(name)].add(bytes);
    const { locked, condemned: condemnedNow, kept } = tallies;
    const starts = undecided.map(({ at }) => Date.parse(at));
    if ([...this.#previewed.values()].includes("condemned")) starts.push(now.getTime());
    const graceEnds = starts.map((at) => new Date(at + graceMs)).filter((end) => end > now);
    const { freedPacks, freedBytes, copiedBytes, extendedLocks } = this.#progress;
    return {
      dryRun,
      freedPacks,
      freedBytes,
      deletedPoints: this.#deletedPoints,
      condemnedPacks: condemnedNow.packs,
      condemnedBytes: condemnedNow.bytes,
      graceUntil: earliest(graceEnds)?.toISOString() ?? null,
      heldBy: [...this.#runs.values()],
      heldPoints: this.#heldPoints,
      heldByLosses: [...this.#heldByLosses].toSorted(),
      lockedPacks: locked.packs,
      lockedBytes: locked.bytes,
      lockedUntil: earliest(this.#locksEnd)?.toISOString() ?? null,
      repackedPacks: this.#repackedPacks,
      copiedBytes,
      reprievedPacks: this.#retained.packs,
      reprievedBytes: this.#retained.bytes,
      keptPacks: kept.packs,
      keptBytes: kept.bytes,
      unreadablePacks: Array.from(survey.unreadable.keys(), packKey),
      misplacedPacks: Array.from(this.#misplaced, packKey),
      extendedLocks,
    };
  }

  #change(change: Partial<PruneProgress>): void {
    this.#progress = { ...this.#progress, ...change };
    this.#onProgress?.(this.#progress);
  }
}

interface ReportOptions {
  readonly survey: PackSurvey;
  readonly now: Date;
  readonly graceMs: number;
  readonly dryRun: boolean;
}

class Tally {
  packs = 0;
  bytes = 0;

  add(bytes: number): void {
    this.packs += 1;
    this.bytes += bytes;
  }
}
