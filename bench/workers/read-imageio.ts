/**
 * Reads the data of a disk through imageio as a backup does, and does nothing with it, as a process of its own:
 *
 *     read-imageio.ts URL CA BYTES
 */
import { readFile } from "node:fs/promises";

import { BufferPool } from "@ovault/core/internal/pipeline/buffer-pool";
import { DEFAULT_LANES } from "@ovault/core/internal/runs/default-lanes";
import { collectZeroExtents, ImageioClient } from "@ovault/ovirt";

const BLOCK_BYTES = 2 ** 20;

const [transferUrl = "", caFile = "", size = "0"] = process.argv.slice(2);
const { signal } = new AbortController();
const client = await ImageioClient.open({
  transferUrl,
  ca: [await readFile(caFile, "utf8")],
  logicalBytes: Number(size),
  inactivityTimeoutMs: 60_000,
  signal,
});
const buffers = new BufferPool(DEFAULT_LANES, BLOCK_BYTES);
let bytesRead = 0;

/** The blocks that hold data, each once. */
async function* dataBlocks(): AsyncGenerator<number> {
  let next = 0;
  for (const { offset, length, kind } of await collectZeroExtents(client.extents("zero", signal))) {
    if (kind !== "data") continue;
    next = Math.max(next, offset - (offset % BLOCK_BYTES));
    for (; next < offset + length; next += BLOCK_BYTES) yield next;
  }
}

/** Takes the next block until there is none, like a lane of the pipeline. */
async function lane(blocks: AsyncGenerator<number>): Promise<void> {
  for (let next = await blocks.next(); next.done !== true; next = await blocks.next()) {
    const offset = next.value;
    const length = Math.min(BLOCK_BYTES, Number(size) - offset);
    await buffers.lend((buffer) => client.readInto(offset, buffer.subarray(0, length), signal));
    bytesRead += length;
  }
}

const startedAt = performance.now();
const blocks = dataBlocks();
await Promise.all(Array.from({ length: client.maxConnections }, () => lane(blocks)));
const seconds = (performance.now() - startedAt) / 1_000;
await client.close();
process.stdout.write(`${JSON.stringify({ figures: { "MB/s without start-up": bytesRead / 1e6 / seconds } })}\n`);
