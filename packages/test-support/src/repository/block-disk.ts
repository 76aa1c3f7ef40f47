import type { Extent, VirtualMachine } from "@ovault/contract";
import { diskOf, type ModelDisk } from "@ovault/testkit";

export const BLOCK_BYTES = 512;

/** A virtual machine with one disk of blocks, each with the content of its number; 0 is zeros. It knows them itself. */
export function blockMachine(id: string, blocks: readonly number[]): VirtualMachine {
  const disks = [diskOf(blocks.length * BLOCK_BYTES, `disk-of-${id}`)];
  return { id, name: id, manager: "model", status: "up", disks, attributes: { blocks: [...blocks] } };
}

export function blocksOf({ attributes: { blocks } }: VirtualMachine): readonly number[] {
  if (!Array.isArray(blocks)) throw new Error("this is no machine of blocks");
  return blocks.map(Number);
}

/** `before`: what the extents tell the difference to. */
export function blockDisk(blocks: readonly number[], before: readonly number[] = []): ModelDisk {
  const bytes = new Uint8Array(blocks.length * BLOCK_BYTES);
  for (const [at, content] of blocks.entries()) fill(bytes.subarray(at * BLOCK_BYTES, (at + 1) * BLOCK_BYTES), content);
  const extents = blocks.map((content, at): Extent => {
    const same = blocks.length === before.length && before[at] === content;
    return { offset: at * BLOCK_BYTES, length: BLOCK_BYTES, kind: same ? "unchanged" : "data" };
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
