import type { ObjectStore, RecoveryPoint } from "@ovault/contract";
import { goneError } from "../points/gone-error.ts";
import type { RecoveryPoints } from "../points/recovery-points.ts";
import { forgetExtensions } from "./lock-extensions.ts";
import { type CondemnedDocument, type CondemnedListing, putVerdict, type Verdict } from "./packs/condemned-packs.ts";

/** The part of a repository that says what a prune has condemned. */
interface CondemnedPlace {
  readonly store: ObjectStore;
  readonly points: RecoveryPoints;
  readonly condemned: CondemnedListing;
  refresh(signal: AbortSignal): Promise<void>;
}

/**
 * For a point whose hold is in the store, so that later prunes see it: makes sure that what an earlier prune has
 * condemned does not take the point away.
 * @throws NotFoundError when the point is gone, or its deletion was decided
 */
export async function sparePoint(repository: CondemnedPlace, point: RecoveryPoint, signal: AbortSignal): Promise<void> {
  const { points } = repository;
  const state = await points.stateOf(point, signal);
  // A visible point is in no condemned document yet, and prune looks at holds before it decides on later ones.
  if (typeof state !== "string") return;
  if (state !== "forgotten") throw goneError(point);
  await repository.refresh(signal);
  const { documents, damaged } = repository.condemned;
  // What cannot be read may name any forgotten point, or be a verdict that does.
  if (damaged.length > 0) throw goneError(point);
  const key = points.keyOf(point);
  for (const document of documents.filter((each) => each.points.includes(key))) {
    const verdict = document.verdict ?? (await withdraw(repository, document, signal));
    if (verdict === undefined || verdict.points.includes(key)) throw goneError(point);
  }
  // A document that was carried out before the refresh took the manifest along.
  if (!(await points.isStored(point, signal))) throw goneError(point);
}

/**
 * Spares all that a document condemns, unless a prune was faster: the verdict that counts. The next prune condemns it
 * again, without the held point. Undefined where the store cannot choose one of two verdicts, or when the document is
 * gone.
 */
async function withdraw(
  repository: CondemnedPlace,
  { name }: CondemnedDocument,
  signal: AbortSignal,
): Promise<Verdict | undefined> {
  const { store } = repository;
  if (!store.capabilities.conditionalPut) return undefined;
  await forgetExtensions(store, signal);
  const nothing = { at: new Date().toISOString(), packs: [], points: [] };
  return await putVerdict(store, name, nothing, signal);
}
