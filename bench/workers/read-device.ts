/**
 * Reads a whole device as the strategy disk-attachment does, and does nothing with it, as a process of its own:
 *
 *     read-device.ts DEVICE
 */
import { BufferPool } from "@ovault/core/internal/pipeline/buffer-pool";
import { DEFAULT_LANES } from "@ovault/core/internal/runs/default-lanes";

import { AttachedDiskSource } from "@ovault/strategy-disk-attachment/internal/attached-disk-source";
import { lookAtDevice } from "@ovault/strategy-disk-attachment/internal/device";
import { openDevice } from "@ovault/strategy-disk-attachment/internal/open-device";

const BLOCK_BYTES = 2 ** 20;

const { signal } = new AbortController();
const device = await lookAtDevice(process.argv[2] ?? "");
const file = await openDevice(device, "read");
const source = new AttachedDiskSource({
  disk: {
    id: "disk",
    alias: "disk",
    index: 0,
    logicalBytes: device.bytes,
    format: "raw",
    sparse: true,
    bootable: false,
    interface: "virtio_scsi",
    attributes: {},
  },
  mode: "full",
  reason: "a benchmark",
  attached: { open: async () => ({ device, file }), close: () => file.close() },
});
const buffers = new BufferPool(DEFAULT_LANES, BLOCK_BYTES);
let next = 0;
/** Takes the next block until there is none, like a lane of the pipeline. */
async function lane(): Promise<void> {
  for (let offset = next; offset < device.bytes; offset = next) {
    next += BLOCK_BYTES;
    const length = Math.min(BLOCK_BYTES, device.bytes - offset);
    await buffers.lend((buffer) => source.readInto(offset, buffer.subarray(0, length), signal));
  }
}
const startedAt = performance.now();
await Promise.all(Array.from({ length: source.maxReads }, lane));
const seconds = (performance.now() - startedAt) / 1_000;
await source.release();
const figures = { "MB/s without start-up": device.bytes / 1e6 / seconds };
process.stdout.write(`${JSON.stringify({ figures })}\n`);
