import type { ObjectKey } from "../contract/object-store.ts";
import type { RecoveryPoint } from "../contract/recovery-point.ts";
import { IntegrityError } from "../errors/errors.ts";
import { hasCode } from "../errors/ovault-error.ts";
import { LostMarks } from "../repair/lost-marks.ts";
import type { Condemned } from "../repository/condemned-packs.ts";
import type { DamagedManifest } from "../repository/recovery-points.ts";
import type { Repository } from "../repository/repository.ts";
import { Liveness, type LivenessOptions } from "./liveness.ts";

export interface NeedsOptions {
  readonly onPage: () => void;
  readonly signal: AbortSignal;
}

export interface FullNeeds {
  readonly live: Liveness;
  /** Keys of the manifests of all points that are forgotten. */
  readonly marked: ReadonlySet<ObjectKey>;
}

/** What recovery points need, as of the last look. A later look walks only what is new. */
export class NeedsOfPoints {
  readonly #repository: Repository;
  readonly #options: NeedsOptions;
  readonly #live: Liveness;
  #points: readonly RecoveryPoint[] = [];
  #marks: LostMarks | undefined;

  constructor(repository: Repository, options: NeedsOptions) {
    this.#repository = repository;
    this.#options = options;
    this.#live = new Liveness(repository);
  }

  /** Those that are not forgotten. */
  get points(): readonly RecoveryPoint[] {
    return this.#points;
  }

  /** Whether some of them are known to have lost data. */
  get haveLosses(): boolean {
    return this.#points.some((point) => this.#hasLosses(point));
  }

  /**
   * What all points need that are not forgotten; and what those needed that were forgotten since an earlier look.
   * @throws IntegrityError when that cannot be told
   */
  async look(): Promise<Liveness> {
    const { signal } = this.#options;
    const { points, damaged } = await this.#repository.points.list(signal);
    const [first] = damaged;
    if (first !== undefined) throw unreadable(first, damaged.length);
    // Whatever these points need was listed before they were sealed.
    await this.#repository.refresh(signal);
    this.#marks = await LostMarks.read(this.#repository, signal);
    await this.#live.add(points, this.#walk);
    this.#points = points;
    return this.#live;
  }

  /**
   * What all points need, forgotten ones too: runs may build on them. But for those that go with a condemned document, or
   * will go as was decided before. To be called after `look`, so that a point which is forgotten meanwhile is found by one
   * of the two. Undefined when it cannot be told.
   */
  async withForgotten({ points: going }: Condemned): Promise<FullNeeds | undefined> {
    const { points: store, condemned } = this.#repository;
    const leaving = new Set([...going, ...condemned.documents.flatMap(({ verdict }) => verdict?.points ?? [])]);
    const forgotten = await store.listForgotten(this.#options.signal);
    const others = forgotten.points.filter((point) => !leaving.has(store.keyOf(point)));
    if (forgotten.damaged.some(({ key }) => !leaving.has(key))) return undefined;
    const marked = new Set(forgotten.marked);
    if (others.length === 0) return { live: this.#live, marked };
    const live = this.#live.copy();
    try {
      await live.add(others, this.#walk);
      return { live, marked };
    } catch (error) {
      if (hasCode(error, "E_INTEGRITY")) return undefined;
      throw error;
    }
  }

  get #walk(): LivenessOptions {
    return { ...this.#options, hasLosses: (point) => this.#hasLosses(point) };
  }

  #hasLosses(point: RecoveryPoint): boolean {
    return this.#marks?.has(point) === true;
  }
}

function unreadable({ key, error }: DamagedManifest, count: number): IntegrityError {
  return new IntegrityError(`${key} cannot be read, so that it cannot be told what it needs`, {
    cause: error,
    context: { key, count },
    hint: "Nothing was deleted. See `ovault verify --all`; `ovault repair` says how to part with it.",
  });
}
