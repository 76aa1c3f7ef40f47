import {
  type ObjectKey,
  compareText,
  type Clock,
  systemClock,
  processIdentity,
  IntegrityError,
} from "@ovault/contract";
import {
  type Condemned,
  type CondemnedDocument,
  deleteCondemned,
  deleteStrayVerdicts,
  putCondemned,
  putVerdict,
  type Verdict,
} from "../repository/packs/condemned-packs.ts";
import { CONDEMNED, mayBeOf, packKey } from "../format/layout.ts";
import type { LeaseHolder } from "../leases/lease-folder.ts";
import { acquireLease } from "../leases/lease.ts";
import { MAINTENANCE_LEASE } from "../leases/maintenance-lease.ts";
import { forgetExtensions } from "../repository/lock-extensions.ts";
import type { Repository } from "../repository/repository.ts";
import { isUnreadable } from "../repository/damage/unreadable-objects.ts";
import { runFailure } from "../concurrency/cancellation.ts";
import { newRunId } from "../util/run-id.ts";
import { isFull, unlessFull } from "../store/unless-full.ts";
import { countKnownPages } from "./count-known-pages.ts";
import { executeDeletion } from "./execute-deletion.ts";
import { extendLocks } from "./extend-locks.ts";
import { previewDeletion } from "./preview-deletion.ts";
import type { Liveness } from "./liveness.ts";
import { type FullNeeds, NeedsOfPoints } from "./needs-of-points.ts";
import { PackSurvey } from "./pack-survey.ts";
import { PackUse } from "./pack-use.ts";
import { packsThatMayGo } from "./decide-deletion.ts";
import { planPrune, type PrunePlan } from "./plan-prune.ts";
import { PruneCounts } from "./prune-counts.ts";
import { DEFAULT_GRACE_MS, DEFAULT_REPACK, type PruneOptions, type PruneReport } from "./prune-report.ts";
import { repack } from "./repack.ts";
import { rewriteIndex } from "./rewrite-index.ts";
import { heldKeys, leasesAreCertain, mayRelyOn, runOf, runsUnderWay, type RunsUnderWay } from "./blocking-runs.ts";
import { unlistedPacks } from "./unlisted-packs.ts";

const LEASE_TTL_MS = 120_000;
/** A limit, for runs read all condemned documents when they start. */
const PACKS_A_DOCUMENT = 32 * 1024;
const POINTS_AT_ONCE = 32 * 1024;
/** A list of this length takes a few blocks. */
const FEW_PACKS = 256;
/**
 * Between the last listing of leases and the last listing of points, where listings may lag: a run seen to be over has
 * sealed its point before, and an NFS client shows it after a minute.
 */
const SETTLE_MS = 60_000;

/**
 * Frees what no recovery point needs, in two steps and beside running backups: it condemns packs and forgotten points
 * first, and deletes them when the grace time is over and every run that may not know of it has ended. May be
 * interrupted anywhere; the next prune continues. docs/adr/0006-prune.md says why nothing is lost.
 * @throws LeaseHeldError while another prune or a repair is running; IntegrityError, with nothing deleted, when the
 * needs of points cannot be determined
 */
export async function prune(repository: Repository, options: PruneOptions): Promise<PruneReport> {
  const { dryRun = false, ifBusy = "refuse", clock = systemClock } = options;
  const holder = options.holder ?? { runId: newRunId(), ...processIdentity() };
  const settings = { ...options, holder, clock };
  if (dryRun) return await new Prune(repository, settings).run();
  const { reserve } = repository;
  const report = await reserve.during(() => pruneUnderLease(repository, settings, ifBusy), options.signal);
  await reserve.keep(options.signal);
  return report;
}

async function pruneUnderLease(
  repository: Repository,
  settings: Settings,
  ifBusy: "refuse" | "wait",
): Promise<PruneReport> {
  const { holder, clock, onWait, onDoubt } = settings;
  const lease = await acquireLease(repository.store, {
    ...MAINTENANCE_LEASE,
    holder,
    ttlMs: LEASE_TTL_MS,
    ifBusy,
    onWait,
    onDoubt,
    clock,
    signal: settings.signal,
  });
  const signal = AbortSignal.any([settings.signal, lease.signal]);
  try {
    return await new Prune(repository, { ...settings, signal }).run();
  } catch (error) {
    throw runFailure(error, signal);
  } finally {
    await lease.release();
  }
}

interface Settings extends PruneOptions {
  readonly holder: LeaseHolder;
  readonly clock: Clock;
}

/** The part of a condemned document that is deleted. */
type WhatGoes = Pick<Verdict, "packs" | "points">;
/** A document with unknown content, because it cannot be read. */
interface Undecided {
  readonly name: string;
  readonly packs?: readonly string[];
}
/** Withdraws the document. */
const NOTHING: WhatGoes = { packs: [], points: [] };
const NOT_A_PACK: PrunePlan = { dead: [], emptied: [] };

class Prune {
  readonly #repository: Repository;
  readonly #settings: Settings;
  readonly #dryRun: boolean;
  readonly #graceMs: number;
  readonly #signal: AbortSignal;
  readonly #counts: PruneCounts;
  readonly #needs: NeedsOfPoints;
  #survey = new PackSurvey();
  /** Manifests that a dry run would have deleted. */
  readonly #previewedPoints: ObjectKey[] = [];
  /** Ids of the runs that were active after packs had been listed. */
  #running: readonly string[] = [];
  /** Keys of the manifests that were held at the last look at leases: their points stay, with all they need. */
  #held: ReadonlySet<ObjectKey> = new Set();
  #holds: RunsUnderWay["holds"] = [];

  constructor(repository: Repository, settings: Settings) {
    const { dryRun = false, graceMs = DEFAULT_GRACE_MS, signal, onProgress } = settings;
    this.#repository = repository;
    this.#settings = settings;
    this.#dryRun = dryRun;
    this.#graceMs = leasesAreCertain(repository.store) ? graceMs : Math.max(graceMs, DEFAULT_GRACE_MS);
    this.#signal = signal;
    this.#counts = new PruneCounts(onProgress);
    this.#needs = new NeedsOfPoints(repository, { onPage: () => this.#counts.page(), signal });
  }

  async run(): Promise<PruneReport> {
    this.#counts.begin("listing packs");
    const between = async (): Promise<void> => {
      this.#running = (await this.#lookAtLeases()).map(({ claim }) => claim.holder.runId);
    };
    this.#survey = await PackSurvey.take(this.#repository, { between, signal: this.#signal });
    this.#counts.knowPages(countKnownPages(this.#repository.index));
    if (this.#dryRun) await this.#previewDecided();
    else await this.#finishOthers();
    await this.#decideCondemned();
    await this.#condemn();
    if (!this.#dryRun) {
      if (this.#graceMs === 0) await this.#decideCondemned();
      await this.#extendLocks();
    }
    return this.#counts.report(this.#repository, {
      survey: this.#survey,
      now: this.#settings.clock.now(),
      graceMs: this.#graceMs,
      dryRun: this.#dryRun,
    });
  }

  /** Carries out the verdicts of an interrupted prune, and withdraws unreadable documents. */
  async #finishOthers(): Promise<void> {
    const { store, condemned } = this.#repository;
    for (const { key, error } of condemned.damaged) {
      const isVerdict = !key.startsWith(CONDEMNED);
      // A verdict that may become readable again is final, and another process may be carrying it out.
      if (!(error instanceof IntegrityError) || (isVerdict && isUnreadable(error))) throw error;
      const name = key.slice(key.lastIndexOf("/") + 1);
      if (!isVerdict) await this.#decide({ name }, NOTHING);
      else await deleteCondemned(store, name, this.#signal);
    }
    await deleteStrayVerdicts(store, this.#signal);
    await this.#repository.refresh(this.#signal);
    for (const document of this.#repository.condemned.documents) await this.#executeDeletion(document);
  }

  /** Decides on all documents that are past their grace time and known to every run, and deletes what may go. */
  async #decideCondemned(): Promise<void> {
    const repository = this.#repository;
    await repository.refresh(this.#signal);
    const ripe = repository.condemned.documents.filter((document) => this.#isRipe(document));
    const known = ripe.length === 0 ? [] : await this.#knownAmong(ripe);
    if (known.length === 0) return;
    if (this.#graceMs > 0 && !this.#dryRun) {
      this.#counts.begin("waiting a minute for listings that lag behind");
      await this.#settings.clock.sleep(SETTLE_MS, this.#signal);
    }
    this.#counts.begin("reading block maps");
    await this.#needs.look(this.#held);
    // Points first: as long as they exist, their packs are needed. Then the newest: what it gives up may be all that
    // needs the others.
    const order = known.toSorted((a, b) => b.points.length - a.points.length || compareText(b.at, a.at));
    for (const document of order) {
      const needs = await this.#needs.withForgotten([...this.#previewedPoints, ...document.points]);
      const goes = needs === undefined ? NOTHING : await this.#mayGo(document, needs);
      await (this.#dryRun ? this.#previewDeletion(document, goes) : this.#decide(document, goes));
    }
  }

  async #mayGo(document: CondemnedDocument, needs: FullNeeds): Promise<WhatGoes> {
    const packs = this.#mayFree(needs.incomplete) ? await this.#packsOf(document, needs) : [];
    const going = new Set(packs);
    this.#counts.retained(this.#sizesOf(document.packs.filter((name) => !going.has(name))));
    return { packs, points: document.points.filter((key) => needs.marked.has(key) && !this.#held.has(key)) };
  }

  async #packsOf(document: CondemnedDocument, { live }: FullNeeds): Promise<Verdict["packs"]> {
    const repository = this.#repository;
    const signal = this.#signal;
    this.#counts.begin("proving");
    const onProved = (bytes: number): void => this.#counts.proved(bytes);
    const options = { survey: this.#survey, live, onProved, signal };
    const { going, misplaced } = await packsThatMayGo(repository, document, options);
    this.#counts.misplaced(misplaced);
    return going;
  }

  /** Anything not known to be needed may be needed below a lost page, and become reachable when the page is found. */
  #mayFree(incomplete: ReadonlySet<string>): boolean {
    const { giveUpLost = false } = this.#settings;
    if (!giveUpLost) this.#counts.heldByLosses(incomplete);
    return giveUpLost || incomplete.size === 0;
  }

  async #decide({ name, packs }: Undecided, goes: WhatGoes): Promise<void> {
    if (packs?.length !== goes.packs.length) await forgetExtensions(this.#repository.store, this.#signal);
    const at = this.#settings.clock.now().toISOString();
    const verdict = await putVerdict(this.#repository.store, name, { at, ...goes }, this.#signal);
    await this.#executeDeletion({ name, verdict });
  }

  #isRipe({ verdict, at }: CondemnedDocument): boolean {
    if (verdict !== undefined) return false;
    return this.#graceMs === 0 || this.#settings.clock.now().getTime() >= Date.parse(at) + this.#graceMs;
  }

  /** The documents that all active runs know; notes the runs that do not. */
  async #knownAmong(documents: readonly CondemnedDocument[]): Promise<readonly CondemnedDocument[]> {
    let known = documents;
    for (const lease of await this.#lookAtLeases()) {
      const isHeld = (document: CondemnedDocument): boolean => mayRelyOn(lease, document, this.#repository.store);
      if (documents.some(isHeld)) this.#counts.heldBy(runOf(lease));
      known = known.filter((document) => !isHeld(document));
    }
    return known;
  }

  /** Answers the leases of runs that write, and notes what is held. */
  async #lookAtLeases(): Promise<RunsUnderWay["writers"]> {
    const { clock, holder, onDoubt } = this.#settings;
    const options = { takeOverAs: this.#dryRun ? undefined : holder, clock, onDoubt, signal: this.#signal };
    const under = await runsUnderWay(this.#repository.store, options);
    this.#holds = under.holds;
    this.#held = heldKeys(under);
    return under.writers;
  }

  /** Finds dead packs, copies the little that is live in mostly dead ones, and condemns both. */
  async #condemn(): Promise<void> {
    const { points, condemned, index } = this.#repository;
    const known = new Set(condemned.documents.flatMap((document) => document.points));
    const { marked } = await points.listForgotten(this.#signal);
    this.#counts.heldPoints(this.#holds, new Set(marked));
    const forgotten = marked.filter((key) => !known.has(key) && !this.#held.has(key));
    this.#counts.begin("reading block maps");
    const live = await this.#needs.look(this.#held);
    await this.#survey.update(this.#repository, this.#signal);
    const use = PackUse.measure(index, live);
    // What an active run has put is dead only until it seals.
    const mayGo = (pack: number): boolean => !this.#running.some((run) => mayBeOf(run, index.packs.nameOf(pack)));
    const { repack: limits = DEFAULT_REPACK } = this.#settings;
    const plan = this.#mayFree(this.#needs.incomplete)
      ? planPrune(index, { survey: this.#survey, use, mayGo, limits })
      : NOT_A_PACK;
    if (this.#dryRun) {
      for (const pack of [...plan.dead, ...plan.emptied])
        this.#counts.previewDeletion(index.packs.nameOf(pack), "condemned");
      this.#counts.repacked(plan.emptied.length);
      for (const pack of plan.emptied) this.#counts.copied(use.keptOf(pack));
      return;
    }
    const emptied = await this.#repack(plan, use, live);
    // Helps readers, and can wait for room.
    await unlessFull(() => this.#tidyIndex(use));
    await this.#putCondemned(
      [...plan.dead, ...emptied].map((pack) => index.packs.nameOf(pack)),
      forgotten,
    );
  }

  async #repack({ emptied }: PrunePlan, use: PackUse, live: Liveness): Promise<readonly number[]> {
    if (emptied.length === 0) return [];
    this.#counts.begin("copying");
    const onCopied = (bytes: number): void => this.#counts.copied(bytes);
    const options = { survey: this.#survey, use, live, onCopied, signal: this.#signal };
    let done: readonly number[] = [];
    // Without room for copies, dead packs go first.
    await unlessFull(async () => {
      done = await repack(this.#repository, emptied, options);
    });
    this.#counts.repacked(done.length);
    await this.#survey.update(this.#repository, this.#signal);
    return done;
  }

  /** Lists needed packs that no index object lists, and removes listings of packs that are gone. */
  async #tidyIndex(use: PackUse): Promise<void> {
    const added = unlistedPacks(this.#repository, { survey: this.#survey, use }, this.#signal);
    // Where data was lost, listings of missing packs are the only record of what was lost.
    const without = this.#needs.haveLosses ? new Set<string>() : this.#survey.missing;
    await rewriteIndex(this.#repository, { without, added, signal: this.#signal });
  }

  async #putCondemned(packs: readonly string[], points: readonly ObjectKey[]): Promise<void> {
    const at = this.#settings.clock.now().toISOString();
    let room = true;
    for (let from = 0; room && (from < packs.length || (from === 0 && points.length > 0)); from += PACKS_A_DOCUMENT) {
      const some = from === 0 ? points.slice(0, POINTS_AT_ONCE) : [];
      room = await this.#putAsRoomAllows({ at, packs: packs.slice(from, from + PACKS_A_DOCUMENT), points: some });
    }
    await this.#repository.refresh(this.#signal);
  }

  /** False when there was no room for so long a list: the next prune takes what it leaves out. */
  async #putAsRoomAllows(value: Condemned): Promise<boolean> {
    try {
      await putCondemned(this.#repository.store, value, this.#signal);
      return true;
    } catch (error) {
      if (!isFull(error) || value.packs.length <= FEW_PACKS) throw error;
      await this.#putAsRoomAllows({ ...value, packs: value.packs.slice(0, value.packs.length / 4) });
      return false;
    }
  }

  async #executeDeletion({ name, verdict }: Pick<CondemnedDocument, "name" | "verdict">): Promise<void> {
    if (verdict === undefined) return;
    this.#counts.begin("deleting");
    const onFreed = (bytes: number): void => this.#counts.freed(bytes);
    const options = { survey: this.#survey, onFreed, signal: this.#signal };
    this.#counts.addDeletion(await executeDeletion(this.#repository, { name, verdict }, options));
    await this.#repository.refresh(this.#signal);
  }

  /** Reports what was decided before and waits to be deleted. */
  async #previewDecided(): Promise<void> {
    for (const { verdict } of this.#repository.condemned.documents) {
      if (verdict !== undefined) await this.#previewDeletion(verdict, verdict);
    }
  }

  /** For a dry run: what would become of a condemned document if `goes` were deleted. */
  async #previewDeletion({ packs }: WhatGoes, goes: WhatGoes): Promise<void> {
    for (const pack of packs) this.#counts.previewDeletion(pack, "kept");
    const { clock, signal } = this.#settings;
    const preview = await previewDeletion(this.#repository, goes, { survey: this.#survey, now: clock.now(), signal });
    for (const { pack, bytes, isLocked } of preview.packs) {
      this.#counts.previewDeletion(pack, isLocked ? "locked" : "freed");
      if (!isLocked) this.#counts.freed(bytes);
    }
    this.#previewedPoints.push(...goes.points);
    this.#counts.addDeletion(preview);
  }

  async #extendLocks(): Promise<void> {
    const { points: manifests, index } = this.#repository;
    const [points, survey] = [this.#needs.points, this.#survey];
    function* keys(): Generator<ObjectKey> {
      for (const point of points) yield manifests.keyOf(point);
      for (let pack = 0; pack < index.packs.length; pack += 1) {
        if (index.packs.isUsable(pack) && survey.bytesOf(pack) > 0) yield packKey(index.packs.nameOf(pack));
      }
    }
    const onExtended = (): void => this.#counts.extendedLock();
    await extendLocks(this.#repository, { keys, clock: this.#settings.clock, onExtended, signal: this.#signal });
  }

  #sizesOf(names: readonly string[]): readonly number[] {
    const { index } = this.#repository;
    return names.map((name) => this.#survey.bytesOfNamed(name, index)).filter((bytes) => bytes > 0);
  }
}
