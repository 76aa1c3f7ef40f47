import type { ChunkId } from "../format/digest.ts";
import { packKey } from "../format/layout.ts";
import type { Repository } from "../repository/repository.ts";
import { plural, compareText } from "@ovault/contract";
import { toHex } from "../util/hex.ts";
import { type Damage, objectDamage } from "./damage.ts";
import { missedPacks } from "./missed-packs.ts";

/** The findings of checking packs. */
export class PackFindings {
  /** Names of the packs whose chunks were all checked. */
  readonly examined = new Set<string>();
  /** Places that do not hold their chunk: ids in hex, by pack. */
  readonly bad = new Map<string, Set<string>>();
  readonly #damage: Damage[] = [];

  /** Sorted by content: packs are checked in any order. */
  get damage(): readonly Damage[] {
    return this.#damage.toSorted((a, b) => compareText(a.reason, b.reason));
  }

  addBad(pack: string, id: ChunkId): void {
    this.#add(pack, toHex(id));
  }

  /** Adds what reading points has found in packs that were not examined. Packs that prune deletes do not count. */
  addReads(repository: Repository): void {
    const isMissed = missedPacks(repository);
    for (const [name, chunks] of repository.badReads) {
      if (this.examined.has(name) || !isMissed(name)) continue;
      for (const chunk of chunks) this.#add(name, chunk);
    }
  }

  /** Call it when a pack was checked. `of`: the chunks it should hold. */
  finish(pack: string, of: number): void {
    this.examined.add(pack);
    const bad = this.bad.get(pack)?.size ?? 0;
    if (bad > 0)
      this.addDamage(`${bad} of ${plural(of, "chunk")} in ${packKey(pack)} ${bad === 1 ? "is" : "are"} damaged`);
  }

  addDamage(reason: string): void {
    this.#damage.push(objectDamage(reason));
  }

  #add(pack: string, chunk: string): void {
    const chunks = this.bad.get(pack) ?? new Set();
    this.bad.set(pack, chunks.add(chunk));
  }
}
