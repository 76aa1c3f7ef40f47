import { type BadPlaces, CHUNKS_A_RECORD, putDamage, readDamage } from "../repository/damage/damage-records.ts";
import type { Repository } from "../repository/repository.ts";
import { copyOf } from "@ovault/contract";
import { fromHex } from "../util/hex.ts";

/** With this many records more than needed, they are merged into as few as possible. */
const MANY_RECORDS = 8;

export interface DamageToSettle {
  /** Packs whose chunks were all checked: recorded damage that was not found again is removed. */
  readonly examined: ReadonlySet<string>;
  readonly bad: BadPlaces;
  /** Whether a pack still exists, or should. Recorded damage of others is removed. */
  readonly exists: (pack: string) => boolean;
}

/** Numbers of places. */
export interface SettledDamage {
  readonly added: number;
  readonly cleared: number;
  /** On record afterwards. */
  readonly known: number;
}

/** The changes to record. */
export interface DamageChange extends SettledDamage {
  write(signal: AbortSignal): Promise<void>;
}

/** Updates the index with what was found, and compares that with what is on record. */
export async function settleDamage(
  { store, index }: Repository,
  { examined, bad, exists }: DamageToSettle,
  signal: AbortSignal,
): Promise<DamageChange> {
  const { records, places: before } = await readDamage(store, signal);
  const after = new Map<string, Set<string>>();
  for (const [pack, chunks] of before) if (!examined.has(pack) && exists(pack)) after.set(pack, new Set(chunks));
  for (const [pack, chunks] of bad) after.set(pack, new Set([...(after.get(pack) ?? []), ...chunks]));
  const added = difference(after, before);
  const cleared = difference(before, after);
  for (const [pack, chunks] of added) for (const chunk of chunks) index.markBad(copyOf(fromHex(chunk)), pack);
  for (const [pack, chunks] of cleared) for (const chunk of chunks) index.markGood(copyOf(fromHex(chunk)), pack);
  const many = records.length >= MANY_RECORDS + Math.ceil(count(before) / CHUNKS_A_RECORD);
  const rewrite = cleared.size > 0 || many;
  return {
    added: count(added),
    cleared: count(cleared),
    known: count(after),
    async write(writeSignal) {
      await putDamage(store, rewrite ? after : added, writeSignal);
      if (rewrite) for (const { key } of records) await store.delete(key, { signal: writeSignal });
    },
  };
}

/** What is in `a` and not in `b`. */
function difference(a: BadPlaces, b: BadPlaces): Map<string, Set<string>> {
  const left = new Map<string, Set<string>>();
  for (const [pack, chunks] of a) {
    const others = b.get(pack);
    const rest = [...chunks].filter((chunk) => others?.has(chunk) !== true);
    if (rest.length > 0) left.set(pack, new Set(rest));
  }
  return left;
}

function count(places: BadPlaces): number {
  return [...places.values()].reduce((sum, chunks) => sum + chunks.size, 0);
}
