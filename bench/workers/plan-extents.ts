/**
 * Plans a synthetic list of extents, as a process of its own, and prints what that took:
 *
 *     plan-extents.ts COUNT
 *
 * Every other 64 KiB has changed: the worst case of change tracking.
 */
import type { Extent } from "@ovault/contract";
import { validateExtents } from "@ovault/core";
import { planBlocks } from "@ovault/core/internal/pipeline/plan-blocks";

const EXTENT_BYTES = 64 * 1024;
const BLOCK_BYTES = 2 ** 20;

const count = Number(process.argv[2]);
const logicalBytes = count * EXTENT_BYTES;
const startedAt = performance.now();
const planned = planBlocks(validateExtents(extents(), logicalBytes), {
  blockBytes: BLOCK_BYTES,
  logicalBytes,
  baseBlocks: Math.ceil(logicalBytes / BLOCK_BYTES),
});
let reads = 0;
for await (const { kind } of planned) if (kind === "read") reads += 1;
const seconds = (performance.now() - startedAt) / 1000;
if (reads !== Math.ceil(logicalBytes / BLOCK_BYTES)) throw new Error(`${reads} blocks to read`);
process.stdout.write(`${JSON.stringify({ figures: { "million extents/s": count / 1e6 / seconds } })}\n`);

async function* extents(): AsyncGenerator<Extent> {
  for (let index = 0; index < count; index += 1) {
    yield { offset: index * EXTENT_BYTES, length: EXTENT_BYTES, kind: index % 2 === 0 ? "unchanged" : "data" };
  }
}
