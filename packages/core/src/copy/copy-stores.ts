import type { ImagePoints } from "../images/image-points.ts";
import type { Repository } from "../repository/repository.ts";

/** A store that points are copied from or to. */
export type CopyStore = Repository | ImagePoints;

export interface CopyStores {
  readonly from: CopyStore;
  readonly to: CopyStore;
}

/** Chunks go from one to the other as they are. */
export interface CopiedRepositories {
  readonly from: Repository;
  readonly to: Repository;
}

export function areRepositories<T extends CopyStores>(stores: T): stores is T & CopiedRepositories {
  return stores.from.kind === "repository" && stores.to.kind === "repository";
}
