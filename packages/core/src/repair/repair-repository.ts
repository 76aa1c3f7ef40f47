import {
  type ObjectStore,
  type RecoveryPoint,
  IntegrityError,
  messageOf,
  plural,
  processIdentity,
} from "@ovault/contract";
import { ChunkSet } from "../repository/chunks/chunk-set.ts";
import type { ChunkId } from "../format/digest.ts";
import { deleteCondemned, readCondemned } from "../repository/packs/condemned-packs.ts";
import { readDamage } from "../repository/damage/damage-records.ts";
import { acquireLease } from "../leases/lease.ts";
import type { DamagedObject } from "../format/damaged-object.ts";
import { MAINTENANCE_LEASE } from "../leases/maintenance-lease.ts";
import type { Repository } from "../repository/repository.ts";
import { runFailure } from "../concurrency/cancellation.ts";
import { newRunId } from "../util/run-id.ts";
import { examineListedPacks } from "../verify/examine-listed-packs.ts";
import { packInfos } from "../verify/list-packs.ts";
import { PackChecks } from "../verify/pack-checks.ts";
import { PackFindings } from "../verify/pack-findings.ts";
import { ProvedChunks } from "../verify/proved-chunks.ts";
import { VerifyCounts } from "../verify/verify-counts.ts";
import { provePacks } from "../verify/prove-packs.ts";
import { settleDamage } from "../verify/settle-damage.ts";
import { DEFAULT_VERIFY_LANES } from "../verify/verify-report.ts";
import { damagedLeases, freeLease } from "./damaged-leases.ts";
import { findLosses } from "../repository/reading/find-losses.ts";
import { LostMarks } from "../losses/lost-marks.ts";
import { removeDamaged } from "./remove-damaged.ts";
import { type IndexSurvey, listPacksAnew, surveyIndex } from "./repair-index.ts";
import type { DamagedThing, PointLosses, RepairOptions, RepairReport } from "./repair-report.ts";
import { rescueChunks } from "./rescue-chunks.ts";
import { SecondCopies } from "./second-copies.ts";
import { type StoreSurvey, surveyStore } from "../repository/survey-store.ts";

const LEASE_TTL_MS = 120_000;

/**
 * Repairs what it can without data from outside, and reports the rest: lists packs that no index object lists, records
 * which chunks are lost, and marks the points that miss them. Every step leaves the repository better or unchanged, so
 * that it may be interrupted anywhere and run again. Damage is reported, not thrown.
 * @throws LeaseHeldError while prune or another repair is running; IntegrityError when damaged leases hide that
 */
export async function repairRepository(repository: Repository, options: RepairOptions): Promise<RepairReport> {
  const { runId = newRunId(), dryRun = false, ifBusy = "refuse" } = options;
  // First: the lease that the repair takes may be damaged itself.
  const leases = await repairLeases(repository, options);
  if (dryRun) return await new Repair(repository, options).run(leases);
  const own = leases.find(({ name, removed }) => name === MAINTENANCE_LEASE.resource && !removed);
  if (own !== undefined) {
    throw new IntegrityError(`${own.reason}; until then no repair or prune can run`, {
      hint: "Make sure that no run is at work on any node, then let the repair free damaged leases.",
    });
  }
  const lease = await acquireLease(repository.store, {
    ...MAINTENANCE_LEASE,
    holder: { runId, ...processIdentity() },
    ttlMs: LEASE_TTL_MS,
    ifBusy,
    onWait: options.onWait,
    onDoubt: options.onDoubt,
    signal: options.signal,
  });
  const signal = AbortSignal.any([options.signal, lease.signal]);
  try {
    return await new Repair(repository, { ...options, signal }).run(leases);
  } catch (error) {
    throw runFailure(error, signal);
  } finally {
    await lease.release();
  }
}

/** A condemned document and its verdict are useless without each other. */
async function removeHalves(store: ObjectStore, things: readonly DamagedThing[], signal: AbortSignal): Promise<void> {
  for (const { name, removed } of things) {
    const [, half] = /^(?:condemned|verdicts)\/([0-9a-f]{32})$/.exec(name) ?? [];
    if (removed && half !== undefined) await deleteCondemned(store, half, signal);
  }
}

async function repairLeases(
  { store }: Repository,
  { dryRun = false, freeDamagedLeases = false, signal }: RepairOptions,
): Promise<readonly DamagedThing[]> {
  const leases: DamagedThing[] = [];
  for (const { resource, reason } of await damagedLeases(store, signal)) {
    if (freeDamagedLeases && !dryRun) await freeLease(store, resource, signal);
    leases.push({ name: resource, reason, removed: freeDamagedLeases });
  }
  return leases;
}

class Repair {
  readonly #repository: Repository;
  readonly #options: RepairOptions;
  readonly #dryRun: boolean;
  readonly #lanes: number;
  readonly #signal: AbortSignal;
  readonly #findings = new PackFindings();

  constructor(repository: Repository, options: RepairOptions) {
    this.#repository = repository;
    this.#options = options;
    this.#dryRun = options.dryRun ?? false;
    this.#lanes = options.lanes ?? DEFAULT_VERIFY_LANES;
    this.#signal = options.signal;
  }

  async run(leases: readonly DamagedThing[]): Promise<RepairReport> {
    const repository = this.#repository;
    const signal = this.#signal;
    this.#step("listing the destination");
    const records = await this.#repairRecords();
    const survey = await surveyStore(repository.store, signal);
    const { index, repaired } = await this.#repairIndex(survey);
    await this.#lookAtPacks(survey, index);
    const exists = (pack: string): boolean => survey.packs.has(pack) || index.listed.has(pack);
    await settleDamage(repository, { ...this.#findings, exists }, signal);
    const rescued = await this.#rescue(survey);
    this.#step("looking for points that lost data");
    const { points, damaged } = await repository.points.list(signal);
    const { lost, pagesStored } = await this.#lossesOf(points);
    // That read pages; bad ones belong on record too.
    this.#findings.addReads(repository);
    const places = await settleDamage(repository, { ...this.#findings, exists }, signal);
    if (!this.#dryRun) await places.write(signal);
    return {
      dryRun: this.#dryRun,
      ...repaired,
      packs: [...repaired.packs, ...this.#findings.damage.map(({ reason }) => reason)],
      places: { added: places.added, cleared: places.cleared, known: places.known },
      rescued,
      pagesStored,
      points: points.length,
      lost,
      healed: await this.#markPoints(points, lost),
      manifests: await this.#removeDamaged(damaged, this.#options.removeDamagedManifests === true),
      leases,
      records,
      foreign: survey.foreign,
    };
  }

  /** Nothing is lost without them: their content is found again, or not needed. */
  async #repairRecords(): Promise<readonly DamagedThing[]> {
    const { store } = this.#repository;
    const signal = this.#signal;
    const condemned = await readCondemned(store, signal);
    const [damage, checks] = [await readDamage(store, signal), await PackChecks.read(store, signal)];
    const things = await this.#removeDamaged([...condemned.damaged, ...damage.damaged, ...checks.damaged]);
    if (!this.#dryRun) await removeHalves(store, things, signal);
    await this.#repository.refresh(signal);
    return things;
  }

  async #repairIndex({ packs }: StoreSurvey): Promise<{
    readonly index: IndexSurvey;
    readonly repaired: Pick<RepairReport, "index" | "packsListed" | "packs">;
  }> {
    const repository = this.#repository;
    this.#step("reading the index");
    const index = await surveyIndex(repository, packs, this.#signal);
    const unlisted = [...packs].filter(([name]) => !index.listed.has(name));
    if (unlisted.length > 0) this.#step(`asking ${plural(unlisted.length, "pack")} what they hold`);
    const options = { dryRun: this.#dryRun, lanes: this.#lanes, signal: this.#signal };
    const { count, unclear } = await listPacksAnew(repository, unlisted, options);
    // Only now: what they listed is listed again, as far as packs' directories allow.
    const things = await this.#removeDamaged(index.damaged);
    await repository.refresh(this.#signal);
    if (this.#dryRun) await repository.completeIndex(this.#signal);
    const packsDamaged = unclear.map(({ error }) => messageOf(error)).toSorted();
    return { index, repaired: { index: things, packsListed: count, packs: packsDamaged } };
  }

  /** Reads suspect packs: those that differ from their listing, and those with recorded damage. */
  async #lookAtPacks({ packs }: StoreSurvey, { suspects }: IndexSurvey): Promise<void> {
    const repository = this.#repository;
    const { readData = false, onProgress } = this.#options;
    const signal = this.#signal;
    const findings = this.#findings;
    const proved = new ProvedChunks(repository.index);
    const options = { findings, proved, lanes: this.#lanes, signal };
    let unclear: ReadonlySet<string> = new Set();
    if (readData) {
      this.#step(`reading ${plural(packs.size, "pack")}`);
      const counts = new VerifyCounts(proved, onProgress);
      counts.expectPacks([...packs.values()]);
      const onPack = (storedBytes: number): void => counts.pack(storedBytes);
      unclear = await provePacks(repository, packInfos(packs), { ...options, onPack });
    }
    const { places } = await readDamage(repository.store, signal);
    const inDoubt = [...suspects, ...unclear, ...places.keys()].filter((name) => !findings.examined.has(name));
    if (inDoubt.length > 0) this.#step(`looking at ${plural(inDoubt.length, "pack")} that may be damaged`);
    await examineListedPacks(repository, new Set(inDoubt), options);
  }

  /** Stores chunks again that lie under the names of other packs. Answers their number. */
  async #rescue({ packs: sizes }: StoreSurvey): Promise<number> {
    const options = { sizes, dryRun: this.#dryRun, lanes: this.#lanes, signal: this.#signal };
    return await rescueChunks(this.#repository, this.#findings.bad.keys(), options);
  }

  /** Stores the second copy of pages with one copy on the way. */
  async #lossesOf(
    points: readonly RecoveryPoint[],
  ): Promise<{ readonly lost: readonly PointLosses[]; readonly pagesStored: number }> {
    const repository = this.#repository;
    const signal = this.#signal;
    const sound = new ChunkSet(repository.index);
    const second = new SecondCopies(repository, { dryRun: this.#dryRun, signal });
    const onPage = (id: ChunkId, page: Uint8Array): Promise<void> => second.see(id, page);
    const lost: PointLosses[] = [];
    try {
      for (const point of points) {
        const disks = await findLosses(repository, point, { sound, onPage, signal });
        if (disks.length === 0) continue;
        const lostBytes = disks.reduce((sum, disk) => sum + disk.lostBytes, 0);
        const { id, name, manager } = point.vm;
        lost.push({ point: point.id, vm: { id, name, manager }, takenAt: point.takenAt, lostBytes, disks });
      }
      await second.finish();
    } finally {
      await second.idle();
    }
    return { lost, pagesStored: second.pages };
  }

  /** Answers the ids of points whose mark is no longer needed. */
  async #markPoints(points: readonly RecoveryPoint[], lost: readonly PointLosses[]): Promise<readonly string[]> {
    const marks = await LostMarks.read(this.#repository, this.#signal);
    const byPoint = new Map(lost.map(({ point, disks }) => [point, disks]));
    const healed = points.filter((point) => marks.has(point) && !byPoint.has(point.id));
    if (!this.#dryRun) {
      for (const point of points) await marks.set(point, byPoint.get(point.id) ?? [], this.#signal);
      for (const key of marks.strayFrom(points)) await this.#repository.store.delete(key, { signal: this.#signal });
    }
    return healed.map(({ id }) => id);
  }

  async #removeDamaged(objects: readonly DamagedObject[], remove = true): Promise<readonly DamagedThing[]> {
    const options = { remove, dryRun: this.#dryRun, signal: this.#signal };
    return await removeDamaged(this.#repository.store, objects, options);
  }

  #step(step: string): void {
    this.#options.onStep?.(step);
  }
}
