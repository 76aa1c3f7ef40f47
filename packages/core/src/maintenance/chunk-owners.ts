import { grown } from "../util/grown.ts";
import type { NeededChunks } from "./liveness.ts";

const NOBODY = 0;
const SEVERAL = 0xffff_ffff;

/** Who needs a chunk: one of many, or several of them; four bytes each. */
export class ChunkOwners implements NeededChunks {
  /** By the number of the chunk: that of its owner, and one more. */
  #owners = new Uint32Array(1);

  claim(entry: number, owner: number): void {
    this.#owners = grown(this.#owners, entry + 1);
    const before = this.#owners[entry];
    this.#owners[entry] = before === NOBODY || before === owner + 1 ? owner + 1 : SEVERAL;
  }

  /** Whether anybody needs it. */
  has(entry: number): boolean {
    return (this.#owners[entry] ?? NOBODY) !== NOBODY;
  }

  /** The only one who needs it; undefined when that is nobody, or several do. */
  ownerOf(entry: number): number | undefined {
    const owner = this.#owners[entry] ?? NOBODY;
    return owner === NOBODY || owner === SEVERAL ? undefined : owner - 1;
  }
}
