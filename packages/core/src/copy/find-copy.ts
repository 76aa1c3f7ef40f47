import { IntegrityError, type RecoveryPoint, UsageError } from "@ovault/contract";
import type { CopyStore } from "./copy-stores.ts";

/** What the destination has of a point. */
export interface FoundCopy {
  readonly copy: RecoveryPoint;
  /** False: it has lost data that the source can give back. */
  readonly isWhole: boolean;
}

/**
 * The copy of a point that the destination has by this name, if any. For a run that may make it.
 * @throws UsageError when it was forgotten there a moment ago; IntegrityError when it has lost data for good
 */
export async function findCopy(
  to: CopyStore,
  { vm, id }: Pick<RecoveryPoint, "vm" | "id">,
  signal: AbortSignal,
): Promise<FoundCopy | undefined> {
  const context = { point: id };
  const copy = await to.points.stateOf({ vm, id }, signal);
  if (copy === "forgotten") {
    const isPruned = to.kind === "repository";
    throw new UsageError(
      `${id} was forgotten at the destination, and is ${isPruned ? "not pruned yet" : "still being read"}`,
      { context, hint: isPruned ? "Run `ovault prune` there, then copy it again." : "Copy it again later." },
    );
  }
  if (typeof copy === "string") return undefined;
  const isWhole = (await to.lossesOfBase(copy, signal)).length === 0;
  if (isWhole || to.kind === "repository") return { copy, isWhole };
  throw new IntegrityError(`${id} is at the destination, and has lost data there`, {
    context,
    hint: "Forget it at the destination, then copy it again.",
  });
}
