import { grown } from "../util/grown.ts";
import type { NeededChunks } from "./liveness.ts";

const NONE = 0;
const SEVERAL = 0xffff_ffff;

/** Which machine needs each chunk, or that several do; four bytes per chunk. */
export class ChunkOwners implements NeededChunks {
  /** By the number of the chunk: the number of its owner, plus one. */
  #owners = new Uint32Array(1);

  claim(entry: number, owner: number): void {
    this.#owners = grown(this.#owners, entry + 1);
    const before = this.#owners[entry];
    this.#owners[entry] = before === NONE || before === owner + 1 ? owner + 1 : SEVERAL;
  }

  /** Whether any machine needs it. */
  has(entry: number): boolean {
    return (this.#owners[entry] ?? NONE) !== NONE;
  }

  /** The single machine that uses this chunk; `undefined` if none or several do. */
  ownerOf(entry: number): number | undefined {
    const owner = this.#owners[entry] ?? NONE;
    return owner === NONE || owner === SEVERAL ? undefined : owner - 1;
  }
}
