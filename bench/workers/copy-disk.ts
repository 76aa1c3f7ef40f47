/**
 * Copies a disk into a raw file with holes, as a process of its own:
 *
 *     copy-disk.ts SOURCE TARGET
 *
 * SOURCE is an NBD URI, or a chain of QCOW2 images, the newest first, with commas between them.
 */
import { open } from "node:fs/promises";

import type { Extent } from "@ovault/contract";
import { NbdSource } from "@ovault/disk-image";
import { parseNbdUri } from "@ovault/nbd";
import { FileByteSource, ImageChain, Qcow2Layer } from "@ovault/qcow2";

/** Number and length of reads as in a backup. */
const LANES = 8;
const BLOCK_BYTES = 2 ** 20;

interface Readable {
  readonly logicalBytes: number;
  extents(signal: AbortSignal): AsyncIterable<Extent>;
  readInto(offset: number, target: Uint8Array, signal: AbortSignal): Promise<void>;
}

const [source = "", target = ""] = process.argv.slice(2);
const { signal } = new AbortController();
const disk = source.startsWith("nbd") ? await openExport(source) : await openChain(source.split(","));
const file = await open(target, "w");
await file.truncate(disk.logicalBytes);
const blocks = dataBlocks();
await Promise.all(Array.from({ length: LANES }, copy));
await file.close();
process.exit();

async function copy(): Promise<void> {
  const buffer = Buffer.allocUnsafe(BLOCK_BYTES);
  for (let next = await blocks.next(); next.done !== true; next = await blocks.next()) {
    const { offset, length } = next.value;
    const block = buffer.subarray(0, length);
    await disk.readInto(offset, block, signal);
    await file.write(block, 0, length, offset);
  }
}

async function* dataBlocks(): AsyncGenerator<{ readonly offset: number; readonly length: number }> {
  for await (const { offset, length, kind } of disk.extents(signal)) {
    if (kind !== "data") continue;
    for (let at = offset; at < offset + length; at += BLOCK_BYTES - (at % BLOCK_BYTES)) {
      yield { offset: at, length: Math.min(BLOCK_BYTES - (at % BLOCK_BYTES), offset + length - at) };
    }
  }
}

async function openChain(paths: readonly string[]): Promise<Readable> {
  const files = await Promise.all(paths.map((path) => FileByteSource.open(path)));
  return new ImageChain(await Promise.all(files.map((one) => Qcow2Layer.open(one, signal))));
}

async function openExport(uri: string): Promise<Readable> {
  const { address, exportName } = parseNbdUri(uri);
  const nbd = await NbdSource.open({ address, exportName, diskId: "disk", signal });
  return {
    logicalBytes: nbd.disk.logicalBytes,
    extents: (reading) => nbd.extents(reading),
    readInto: (offset, buffer, reading) => nbd.readInto(offset, buffer, reading),
  };
}
