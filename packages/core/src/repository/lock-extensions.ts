import { z } from "zod";

import type { ObjectStore } from "@ovault/contract";
import { EXTENSIONS } from "../format/layout.ts";
import { readRecords, type RecordKind } from "../format/records.ts";

/** Everything needed at `at` was locked until `until`; later objects were locked for as long when they were put. */
const schema = z.object({ at: z.iso.datetime(), until: z.iso.datetime() });
export const EXTENSION: RecordKind<z.infer<typeof schema>> = { prefix: EXTENSIONS, type: "extension", schema };

/** Makes the next `extendLocks` extend all locks: something is needed again that earlier ones may have left out. */
export async function forgetExtensions(store: ObjectStore, signal: AbortSignal): Promise<void> {
  if (store.retention === undefined) return;
  const { records, damaged } = await readRecords(store, EXTENSION, signal);
  for (const { key } of [...records, ...damaged]) await store.delete(key, { signal });
}
