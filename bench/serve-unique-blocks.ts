import { rm } from "node:fs/promises";
import { join } from "node:path";

import { NbdServer, type NbdExport } from "@ovault/nbd";

import { workDirectory } from "./work-directory.ts";

const BLOCK_BYTES = 2 ** 20;
const WORD_BYTES = 8;

/** A disk of unique blocks of 1 MiB that compress to almost nothing: many chunks, quickly stored. */
export async function serveUniqueBlocks(bytes: number): Promise<{ uri: string; close: () => Promise<void> }> {
  const path = join(workDirectory, `unique-${bytes}.sock`);
  await rm(path, { force: true });
  const server = await NbdServer.listen({ path }, { exports: new Map([["", uniqueBlocks(bytes)]]) });
  return { uri: `nbd+unix:///?socket=${path}`, close: () => server.close() };
}

/** Every word of a block is its number, counted from one. */
function uniqueBlocks(logicalBytes: number): NbdExport {
  return {
    logicalBytes,
    readOnly: true,
    async readInto(offset, { buffer, byteOffset, byteLength }) {
      const bytes = Buffer.from(buffer, byteOffset, byteLength);
      const word = Buffer.alloc(WORD_BYTES);
      for (let at = 0; at < byteLength;) {
        const block = Math.floor((offset + at) / BLOCK_BYTES);
        const end = Math.min(byteLength, (block + 1) * BLOCK_BYTES - offset);
        word.writeBigUInt64LE(BigInt(block + 1));
        bytes.fill(word, at, end);
        at = end;
      }
    },
  };
}
