import { type ObjectKey, type RecoveryPoint, IntegrityError } from "@ovault/contract";
import type { Repository } from "../repository/repository.ts";
import { type CurrentPoints, currentPoints } from "./current-points.ts";
import { Liveness, type LivenessOptions } from "./liveness.ts";

export interface NeedsOptions {
  readonly onPage: () => void;
  readonly signal: AbortSignal;
}

export interface FullNeeds {
  readonly live: Liveness;
  /** Keys of the manifests of all forgotten points. */
  readonly marked: ReadonlySet<ObjectKey>;
  /** Ids of points with lost pages: anything may be needed below them. */
  readonly incomplete: ReadonlySet<string>;
}

/** What recovery points need, as of the last look. A later look walks only new points. */
export class NeedsOfPoints {
  readonly #repository: Repository;
  readonly #options: NeedsOptions;
  readonly #live: Liveness;
  #incomplete: ReadonlySet<string> = new Set();
  #current: CurrentPoints = { points: [], hasLosses: () => false };

  constructor(repository: Repository, options: NeedsOptions) {
    this.#repository = repository;
    this.#options = options;
    this.#live = new Liveness(repository);
  }

  /** Points that are not forgotten, and forgotten ones that are held. */
  get points(): readonly RecoveryPoint[] {
    return this.#current.points;
  }

  /** Ids of points with lost pages: anything may be needed below them. */
  get incomplete(): ReadonlySet<string> {
    return this.#incomplete;
  }

  /** Whether any of them is known to have lost data. */
  get haveLosses(): boolean {
    return this.#current.points.some(this.#current.hasLosses);
  }

  /**
   * What all points need that are held or not forgotten, and what points needed that were forgotten since an earlier
   * look.
   * @param held keys of the manifests of held points
   * @throws IntegrityError when the needs of a point cannot be determined
   */
  async look(held: ReadonlySet<ObjectKey>): Promise<Liveness> {
    this.#current = await currentPoints(this.#repository, held, this.#options.signal);
    const incomplete = new Set<string>();
    await this.#live.add(this.#current.points, this.#walk(incomplete));
    this.#incomplete = incomplete;
    return this.#live;
  }

  /**
   * What all points need, including forgotten ones, which runs may build on; except points in `going` (keys of
   * manifests) and those whose deletion was decided before. Call it after `look`, so that one of the two finds a point
   * that is forgotten meanwhile. Undefined when it cannot be determined.
   */
  async withForgotten(going: readonly ObjectKey[]): Promise<FullNeeds | undefined> {
    const { points: store, condemned } = this.#repository;
    const leaving = new Set([...going, ...condemned.documents.flatMap(({ verdict }) => verdict?.points ?? [])]);
    const forgotten = await store.listForgotten(this.#options.signal);
    const others = forgotten.points.filter((point) => !leaving.has(store.keyOf(point)));
    if (forgotten.damaged.some(({ key }) => !leaving.has(key))) return undefined;
    const marked = new Set(forgotten.marked);
    if (others.length === 0) return { live: this.#live, marked, incomplete: this.#incomplete };
    const live = this.#live.copy();
    const incomplete = new Set(this.#incomplete);
    try {
      await live.add(others, this.#walk(incomplete));
      return { live, marked, incomplete };
    } catch (error) {
      if (error instanceof IntegrityError) return undefined;
      throw error;
    }
  }

  #walk(incomplete: Set<string>): LivenessOptions {
    const onLostPage = ({ id }: RecoveryPoint): void => void incomplete.add(id);
    return { ...this.#options, hasLosses: this.#current.hasLosses, onLostPage };
  }
}
