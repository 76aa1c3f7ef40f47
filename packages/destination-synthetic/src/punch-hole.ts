import { createRequire } from "node:module";

import type Koffi from "koffi";

/** FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE of linux/falloc.h. */
const PUNCH_HOLE = 0x01 | 0x02;

type Fallocate = ReturnType<ReturnType<(typeof Koffi)["load"]>["func"]>;

let fallocate: Fallocate | undefined | null = null;

/**
 * Deallocates a range of an open file, which then reads as zeros. Runs in a thread of its own. False when that is not
 * possible here: the caller writes zeros instead, and meets the reason if it is an error of the disk.
 */
export async function punchHole(fd: number, offset: number, length: number): Promise<boolean> {
  if (fallocate === null) fallocate = load();
  const call = fallocate;
  if (call === undefined) return false;
  return await new Promise((resolve) => {
    call.async(fd, PUNCH_HOLE, offset, length, (error: unknown, answer: unknown) =>
      resolve(error === null && answer === 0),
    );
  });
}

function load(): Fallocate | undefined {
  try {
    // Not an import: where koffi has no binary for this machine, everything else must work.
    const koffi = createRequire(import.meta.url)("koffi") as typeof Koffi;
    return koffi.load("libc.so.6").func("int fallocate(int, int, int64_t, int64_t)");
  } catch {
    return undefined;
  }
}
