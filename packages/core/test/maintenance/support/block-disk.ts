import type { Extent } from "@ovault/core";
import type { ModelDisk } from "@ovault/testkit";

export const BLOCK_BYTES = 512;

/** A disk of blocks, each with the content of its number; 0 is zeros. `base`: its extents tell what changed since. */
export function blockDisk(blocks: readonly number[], base?: Uint8Array): ModelDisk {
  const bytes = new Uint8Array(blocks.length * BLOCK_BYTES);
  for (const [at, content] of blocks.entries()) fill(bytes.subarray(at * BLOCK_BYTES, (at + 1) * BLOCK_BYTES), content);
  const extents = blocks.map((_, at): Extent => {
    const offset = at * BLOCK_BYTES;
    const same = base?.byteLength === bytes.byteLength && isSame(bytes, base, offset);
    return { offset, length: BLOCK_BYTES, kind: same ? "unchanged" : "data" };
  });
  return { bytes, extents };
}

/** Not to be compressed, so that packs fill as their number says. */
function fill(block: Uint8Array, content: number): void {
  if (content === 0) return;
  let state = content * 2_654_435_761;
  for (let at = 0; at < block.byteLength; at += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    block[at] = state >>> 24;
  }
}

function isSame(a: Uint8Array, b: Uint8Array, offset: number): boolean {
  return Buffer.compare(a.subarray(offset, offset + BLOCK_BYTES), b.subarray(offset, offset + BLOCK_BYTES)) === 0;
}
