import type { ChunkId } from "../format/digest.ts";
import { packKey } from "../format/layout.ts";
import type { Repository } from "../repository/repository.ts";
import { plural, compareText } from "@ovault/contract";
import { toHex } from "../util/hex.ts";
import { type Damage, objectDamage } from "./damage.ts";
import { missedPacks } from "./missed-packs.ts";

/** What looking at packs brought to light. */
export class PackFindings {
  /** Names of the packs of which every chunk was looked at. */
  readonly examined = new Set<string>();
  /** Places that do not hold the chunk they should: ids in hex, by pack. */
  readonly bad = new Map<string, Set<string>>();
  readonly #damage: Damage[] = [];

  /** In the order of what it says: packs are looked at in any order. */
  get damage(): readonly Damage[] {
    return this.#damage.toSorted((a, b) => compareText(a.reason, b.reason));
  }

  addBad(pack: string, id: ChunkId): void {
    this.#add(pack, toHex(id));
  }

  /** What reading points has brought to light of packs that were not examined. Packs that prune takes away do not count. */
  addReads(repository: Repository): void {
    const isMissed = missedPacks(repository);
    for (const [name, chunks] of repository.badReads) {
      if (this.examined.has(name) || !isMissed(name)) continue;
      for (const chunk of chunks) this.#add(name, chunk);
    }
  }

  /** To be called when a pack was looked at. `of`: the chunks it should hold. */
  finish(pack: string, of: number): void {
    this.examined.add(pack);
    const bad = this.bad.get(pack)?.size ?? 0;
    if (bad > 0) this.addDamage(`${bad} of ${plural(of, "chunk")} in ${packKey(pack)} are damaged`);
  }

  addDamage(reason: string): void {
    this.#damage.push(objectDamage(reason));
  }

  #add(pack: string, chunk: string): void {
    const chunks = this.bad.get(pack) ?? new Set();
    this.bad.set(pack, chunks.add(chunk));
  }
}
