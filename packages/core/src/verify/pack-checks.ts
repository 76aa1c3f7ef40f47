import { z } from "zod";

import type { ObjectKey, ObjectStore } from "@ovault/contract";
import { CHECKS } from "../format/layout.ts";
import type { DamagedObject } from "../format/damaged-object.ts";
import { putRecord, readRecords, type RecordKind } from "../format/records.ts";

const schema = z.object({
  checks: z.array(z.object({ at: z.iso.datetime(), packs: z.array(z.string().regex(/^[0-9a-f]{32}$/)) })),
});

const CHECK: RecordKind<z.infer<typeof schema>> = { prefix: CHECKS, type: "check", schema };

/** With this many records more than needed, they are merged into as few as possible. */
const MOST_RECORDS = 8;
/** Limit per object: about 2 MiB. */
const PACKS_A_RECORD = 64 * 1024;

/** When each pack was last read whole, by any node. */
export class PackChecks {
  /** Damaged records: their packs count as never checked. */
  readonly damaged: readonly DamagedObject[];
  readonly #keys: readonly ObjectKey[];
  /** ISO 8601, by the pack's name. */
  readonly #at: ReadonlyMap<string, string>;

  private constructor(keys: readonly ObjectKey[], at: ReadonlyMap<string, string>, damaged: readonly DamagedObject[]) {
    this.#keys = keys;
    this.#at = at;
    this.damaged = damaged;
  }

  static async read(store: ObjectStore, signal: AbortSignal): Promise<PackChecks> {
    const { records, damaged } = await readRecords(store, CHECK, signal);
    const latest = new Map<string, string>();
    for (const { value } of records) {
      for (const { at, packs } of value.checks) {
        for (const pack of packs) if ((latest.get(pack) ?? "") < at) latest.set(pack, at);
      }
    }
    return new PackChecks(
      records.map(({ key }) => key),
      latest,
      damaged,
    );
  }

  /** Sorts as text; empty when the pack was never checked. */
  lastOf(pack: string): string {
    return this.#at.get(pack) ?? "";
  }

  /** Records that these packs were read now. `exists`: whether a pack still exists; merging drops the others. */
  async add(
    packs: ReadonlySet<string>,
    { store, exists, signal }: { store: ObjectStore; exists: (pack: string) => boolean; signal: AbortSignal },
  ): Promise<void> {
    const now = new Date().toISOString();
    const tooMany = this.#keys.length >= MOST_RECORDS + Math.ceil(this.#at.size / PACKS_A_RECORD);
    const all = new Map([...packs].map((pack) => [pack, now]));
    if (tooMany) for (const [pack, at] of this.#at) if (!all.has(pack) && exists(pack)) all.set(pack, at);
    for (const part of partsOf(all)) await putRecord(store, CHECK, { checks: part }, signal);
    // Deleted last: a record's content must survive an interruption at any time.
    if (tooMany) for (const key of this.#keys) await store.delete(key, { signal });
  }
}

function* partsOf(all: ReadonlyMap<string, string>): Generator<{ at: string; packs: string[] }[]> {
  let part = new Map<string, string[]>();
  let room = PACKS_A_RECORD;
  for (const [pack, at] of all) {
    const packs = part.get(at) ?? [];
    packs.push(pack);
    part.set(at, packs);
    room -= 1;
    if (room > 0) continue;
    yield checksOf(part);
    part = new Map();
    room = PACKS_A_RECORD;
  }
  if (part.size > 0) yield checksOf(part);
}

function checksOf(part: ReadonlyMap<string, string[]>): { at: string; packs: string[] }[] {
  return Array.from(part, ([at, packs]) => ({ at, packs }));
}
