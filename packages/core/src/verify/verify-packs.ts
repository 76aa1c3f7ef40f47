import { type RecoveryPoint, messageOf } from "@ovault/contract";
import { findLosses } from "../repository/reading/find-losses.ts";
import type { ChunkId } from "../format/digest.ts";
import { indexObjects } from "../repository/index/index-objects.ts";
import type { Repository } from "../repository/repository.ts";
import { type Damage, objectDamage } from "./damage.ts";
import { DamagedPoints } from "./damaged-points.ts";
import { examineListedPacks } from "./examine-listed-packs.ts";
import { listPacks, packInfos } from "./list-packs.ts";
import { missedPacks } from "./missed-packs.ts";
import { PackChecks } from "./pack-checks.ts";
import { PackFindings } from "./pack-findings.ts";
import { ProvedChunks } from "./proved-chunks.ts";
import { provePacks } from "./prove-packs.ts";
import { settleDamage } from "./settle-damage.ts";
import { asWellAsPossible, recordDamage } from "./record-damage.ts";
import { provePoints } from "./verify-points.ts";
import { VerifyCounts } from "./verify-counts.ts";
import { DEFAULT_VERIFY_LANES, type VerifyOptions, type VerifyReport } from "./verify-report.ts";

/** What a check covers. `choose` gets the bytes of every pack by name, and answers names in order. */
export interface PackSelection {
  readonly choose: (packs: ReadonlyMap<string, number>, checks: PackChecks) => Iterable<string>;
  /** True: reads all index objects, and every chunk of all points. False: only checks that each chunk has a place. */
  readonly isWhole: boolean;
}

/** A cancelled run must still be able to record what it did. */
const RECORD_MS = 30_000;

/**
 * Reads packs whole, looks for missing packs and for chunks that are in no pack, and records what it found and checked,
 * even when it is cancelled. Damage is reported, not thrown; a failure of the store is thrown.
 */
export async function verifyPacks(
  repository: Repository,
  { choose, isWhole }: PackSelection,
  options: VerifyOptions,
): Promise<VerifyReport> {
  const { store } = repository;
  const { signal } = options;
  const packs = await listPacks(store, signal);
  const checks = await PackChecks.read(store, signal);
  const verification = new PackVerification(repository, { packs, checks }, options);
  try {
    await verification.read(choose(packs, checks));
    if (isWhole) await verification.proveIndex();
    const points = await (isWhole ? verification.provePoints() : verification.lookAtPoints());
    return verification.report(points, await verification.record(signal));
  } catch (error) {
    // The first failure is the one to report.
    if (signal.aborted) await verification.record(AbortSignal.timeout(RECORD_MS)).catch(() => undefined);
    throw error;
  }
}

class PackVerification {
  readonly #repository: Repository;
  readonly #packs: ReadonlyMap<string, number>;
  readonly #checks: PackChecks;
  readonly #options: VerifyOptions;
  readonly #findings = new PackFindings();
  readonly #proved: ProvedChunks;
  readonly #counts: VerifyCounts;
  readonly #damage: Damage[] = [];
  #damagedPoints: DamagedPoints;

  constructor(
    repository: Repository,
    { packs, checks }: { readonly packs: ReadonlyMap<string, number>; readonly checks: PackChecks },
    options: VerifyOptions,
  ) {
    this.#repository = repository;
    this.#packs = packs;
    this.#checks = checks;
    this.#options = options;
    this.#proved = new ProvedChunks(repository.index);
    this.#counts = new VerifyCounts(this.#proved, options.onProgress);
    this.#damagedPoints = new DamagedPoints(repository.index);
  }

  async read(names: Iterable<string>): Promise<void> {
    const { lanes = DEFAULT_VERIFY_LANES, signal } = this.#options;
    const options = { findings: this.#findings, proved: this.#proved, lanes, signal };
    const onPack = (storedBytes: number): void => this.#counts.pack(storedBytes);
    const chosen = Array.from(names, (name): [string, number] => [name, this.#packs.get(name) ?? 0]);
    this.#counts.expectPacks(chosen.map(([, bytes]) => bytes));
    const unclear = await provePacks(this.#repository, packInfos(chosen), { ...options, onPack });
    await examineListedPacks(this.#repository, new Set([...unclear, ...this.#unseenPacks()]), options);
    for (const { key, error } of this.#repository.damaged) this.#damage.push(objectDamage(describe(key, error)));
  }

  /** Reads index objects, also those that this machine knows only from its cache. */
  async proveIndex(): Promise<void> {
    const { damaged, store } = this.#repository;
    const known = new Set(damaged.map(({ key }) => key));
    for await (const object of indexObjects(store, this.#options.signal)) {
      if (object.packs !== undefined || known.has(object.key)) continue;
      this.#damage.push(objectDamage(describe(object.key, object.error)));
    }
  }

  /** Walks all points and reads the chunks that no pack has proved. Answers the number of points. */
  async provePoints(): Promise<number> {
    // A point sealed meanwhile refers to packs that were not listed yet.
    await this.#repository.refresh(this.#options.signal);
    const points = await this.#listPoints();
    this.#damagedPoints = await provePoints(
      this.#repository,
      points,
      { proved: this.#proved, counts: this.#counts },
      this.#options,
    );
    return points.length;
  }

  /**
   * Walks the block maps of all points: each chunk must have a place not known to be bad. Answers the number of points.
   */
  async lookAtPoints(): Promise<number> {
    const repository = this.#repository;
    const { signal } = this.#options;
    const points = await this.#listPoints();
    // What these points need was listed before they were sealed.
    await this.#catchUp();
    const onPage = (id: ChunkId): void => void this.#damagedPoints.singlePages.see(id);
    const options = { sound: repository.soundPages, onPage, signal };
    this.#counts.expectPoints(points.length);
    for (const point of points) {
      this.#counts.point();
      if ((await findLosses(repository, point, options)).length === 0) continue;
      // Points may be forgotten and packs replaced at any time.
      await this.#catchUp();
      const losses = await findLosses(repository, point, options);
      if (losses.length > 0 && (await repository.points.holds(point, signal))) this.#damagedPoints.add(point, losses);
    }
    return points.length;
  }

  /** Answers what could not be recorded, for people. */
  async record(signal: AbortSignal): Promise<readonly string[]> {
    const { store } = this.#repository;
    const findings = this.#findings;
    const exists = this.#exists;
    const { losses } = this.#damagedPoints;
    const unwritten = await recordDamage(this.#repository, { findings, exists, losses }, signal);
    if (findings.examined.size === 0) return unwritten;
    const unsaved = await asWellAsPossible("what was checked", () =>
      this.#checks.add(findings.examined, { store, exists, signal }),
    );
    return [...unwritten, ...unsaved];
  }

  report(points: number, notes: readonly string[]): VerifyReport {
    const { chunks, bytes } = this.#proved;
    const { packs, storedBytes } = this.#counts.done;
    const damage = [...this.#findings.damage, ...this.#damage, ...this.#damagedPoints.damage];
    const { count: pagesOnce } = this.#damagedPoints.singlePages;
    return {
      points,
      chunks,
      bytes,
      packs,
      storedBytes,
      damage,
      pagesOnce,
      notes,
      repairable: true,
    };
  }

  /** Updates the index with the store's state and with what was found here. */
  async #catchUp(): Promise<void> {
    const { signal } = this.#options;
    await this.#repository.refresh(signal);
    await settleDamage(this.#repository, { ...this.#findings, exists: this.#exists }, signal);
  }

  /** Whether this pack exists, or should. */
  readonly #exists = (pack: string): boolean =>
    this.#packs.has(pack) || this.#repository.index.packs.numberOf(pack) !== undefined;

  async #listPoints(): Promise<readonly RecoveryPoint[]> {
    const { points, damaged } = await this.#repository.points.list(this.#options.signal);
    for (const { key, error } of damaged) this.#damage.push(objectDamage(describe(key, error)));
    return points;
  }

  /** Packs that the index relies on and the store did not list. */
  *#unseenPacks(): Generator<string> {
    const isMissed = missedPacks(this.#repository);
    for (const { name } of this.#repository.index.packs) if (!this.#packs.has(name) && isMissed(name)) yield name;
  }
}

function describe(key: string, error: unknown): string {
  return error instanceof Error ? messageOf(error) : `${key} is damaged`;
}
