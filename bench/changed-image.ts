import { execFile } from "node:child_process";
import { open, stat, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { promisify } from "node:util";

import { workDirectory } from "./work-directory.ts";

const run = promisify(execFile);

const WRITE_BYTES = 64 * 1024;
const BLOCK_BYTES = 2 ** 20;

export interface ChangedImage {
  readonly path: string;
  /** A JSON file that lists the writes. */
  readonly changes: string;
  readonly writtenBytes: number;
  /** Bytes of all blocks of 1 MiB with at least one write. */
  readonly touchedBytes: number;
}

/**
 * A copy of the image with 64 KiB writes at pseudo-random places, `fraction` of the disk in all. The same every
 * time. The caller removes both files.
 */
export async function changedImage(image: string, fraction: number): Promise<ChangedImage> {
  const path = join(workDirectory, `${basename(image)}-changed`);
  const changes = `${path}.json`;
  await run("cp", ["--sparse=always", image, path]);
  const cells = placesIn((await stat(image)).size / WRITE_BYTES, fraction);
  const file = await open(path, "r+");
  try {
    for (const cell of cells) await file.write(contentOf(cell), 0, WRITE_BYTES, cell * WRITE_BYTES);
  } finally {
    await file.close();
  }
  await writeFile(changes, JSON.stringify(cells.map((cell) => ({ offset: cell * WRITE_BYTES, length: WRITE_BYTES }))));
  const touched = new Set(cells.map((cell) => Math.floor((cell * WRITE_BYTES) / BLOCK_BYTES)));
  return { path, changes, writtenBytes: cells.length * WRITE_BYTES, touchedBytes: touched.size * BLOCK_BYTES };
}

/** Ascending. */
function placesIn(cells: number, fraction: number): readonly number[] {
  const chosen = new Set<number>();
  let state = 1;
  while (chosen.size < cells * fraction) {
    state = (state * 48_271) % 0x7fffffff;
    chosen.add(state % cells);
  }
  return [...chosen].toSorted((a, b) => a - b);
}

function contentOf(cell: number): Buffer {
  const content = Buffer.alloc(WRITE_BYTES);
  for (let at = 0; at < WRITE_BYTES; at += 4) content.writeUInt32LE((cell * 2654435761 + at * 40503) >>> 0, at);
  return content;
}
