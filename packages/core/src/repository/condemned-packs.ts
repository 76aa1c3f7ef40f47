import { z } from "zod";

import type { ObjectStore } from "../contract/object-store.ts";
import { IntegrityError } from "../errors/errors.ts";
import { hasCode } from "../errors/ovault-error.ts";
import { decodeDocument } from "./document.ts";
import { CONDEMNED } from "./layout.ts";

const TYPE = "condemned";
const VERSION = 1;

const schema = z.object({ at: z.iso.datetime(), packs: z.array(z.string().regex(/^[0-9a-f]{32}$/)) });

/** Names of the packs that are about to be deleted, unless a point needs them. */
export async function condemnedPacks(store: ObjectStore, signal: AbortSignal): Promise<ReadonlySet<string>> {
  const names = new Set<string>();
  for await (const { key } of store.list(CONDEMNED, { signal })) {
    try {
      const parsed = schema.safeParse(decodeDocument(TYPE, VERSION, await store.get(key, { signal }), key));
      if (!parsed.success) throw new IntegrityError(`${key} is not a list of packs: ${z.prettifyError(parsed.error)}`);
      for (const name of parsed.data.packs) names.add(name);
    } catch (error) {
      if (!hasCode(error, "E_OBJECT_NOT_FOUND")) throw error; // carried out while we were listing
    }
  }
  return names;
}
