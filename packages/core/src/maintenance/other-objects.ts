import { isOurs } from "../repository/survey-store.ts";
import type { ObjectKey } from "@ovault/contract";
import { INDEX, packNameIn, POINTS } from "../format/layout.ts";
import type { Repository } from "../repository/repository.ts";

/** Sizes in bytes of the objects in a store besides packs. */
export interface OtherObjects {
  readonly indexBytes: number;
  readonly manifestBytes: number;
  readonly otherBytes: number;
  readonly foreign: { readonly objects: number; readonly bytes: number };
}

type Kind = "index" | "manifest" | "other" | "foreign";

export async function otherObjects({ store }: Repository, signal: AbortSignal): Promise<OtherObjects> {
  const sums: Record<Kind, number> = { index: 0, manifest: 0, other: 0, foreign: 0 };
  let objects = 0;
  for await (const { key, bytes } of store.list("", { signal })) {
    if (packNameIn(key) !== undefined) continue;
    const kind = kindOf(key);
    sums[kind] += bytes;
    if (kind === "foreign") objects += 1;
  }
  const foreign = { objects, bytes: sums.foreign };
  return { indexBytes: sums.index, manifestBytes: sums.manifest, otherBytes: sums.other, foreign };
}

function kindOf(key: ObjectKey): Kind {
  if (!isOurs(key)) return "foreign";
  if (key.startsWith(INDEX)) return "index";
  return key.startsWith(POINTS) ? "manifest" : "other";
}
