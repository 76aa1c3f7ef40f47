import { createInflateRaw, createZstdDecompress } from "node:zlib";

import { ImageCorruptError } from "./errors.ts";

/**
 * The plain bytes of a compressed cluster. `stored` may continue past the cluster's data: entries count whole sectors,
 * so the next cluster's data, or padding, follows.
 */
export async function decompressCluster(
  stored: Uint8Array,
  compression: "deflate" | "zstd",
  clusterBytes: number,
): Promise<Buffer> {
  // One piece of output, so one turn in the thread pool.
  const options = { chunkSize: clusterBytes };
  const decoder = compression === "deflate" ? createInflateRaw(options) : createZstdDecompress(options);
  const cluster = Buffer.allocUnsafe(clusterBytes);
  let filled = 0;
  decoder.end(stored);
  try {
    for await (const part of decoder as AsyncIterable<Buffer>) {
      filled += part.copy(cluster, filled);
      if (filled === clusterBytes) return cluster;
    }
  } catch (cause) {
    throw new ImageCorruptError("a compressed cluster does not decode", { cause });
  } finally {
    decoder.destroy();
  }
  throw new ImageCorruptError(`a compressed cluster decodes to ${filled} of ${clusterBytes} bytes`);
}
