import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import * as fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";

import { chainRecipe, makeChain, type ChainRecipe } from "./support/image-recipes.ts";
import { openChain, readAll } from "./support/read-all.ts";

const run = promisify(execFile);
/** Chains of one to three images made at once, and how often: 208 chains of some 400 images in all. */
const AT_ONCE = 4;
const RUNS = 52;

let directory: string;
let chains = 0;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "ovault-qcow2-"));
});
afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
});

/** What of a chain is read otherwise than QEMU reads it. */
async function differences(recipe: ChainRecipe): Promise<readonly string[]> {
  const { paths, view, viewBelow } = await makeChain(directory, String((chains += 1)), recipe);
  const expected = await readFile(view);
  await using opened = await openChain(paths);
  const { chain } = opened;
  const whole = await readAll(chain);
  // An increment: the newest layer over the view of those below it.
  const below = Buffer.alloc(chain.logicalBytes);
  if (viewBelow !== undefined) (await readFile(viewBelow)).copy(below);
  const onBase = await readAll(chain, below, 1);
  for (const path of [...paths, view, ...(viewBelow === undefined ? [] : [viewBelow])]) await rm(path);
  return [...(whole.equals(expected) ? [] : ["as a whole"]), ...(onBase.equals(expected) ? [] : ["as an increment"])];
}

test(
  "a chain of QCOW2 images reads as QEMU reads it, whatever features its layers have",
  { timeout: 600_000 },
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(chainRecipe, { minLength: AT_ONCE, maxLength: AT_ONCE }), async (recipes) => {
        const found = await Promise.all(recipes.map(differences));
        expect(found).toEqual(recipes.map(() => []));
      }),
      { numRuns: Number(process.env["OVAULT_QCOW2_RUNS"] ?? RUNS) },
    );
  },
);

test("also one that `qemu-img convert -c` compressed as a whole", async () => {
  for (const compression of ["zlib", "zstd"]) {
    const source = join(directory, "plain.raw");
    const text = Buffer.from(Array.from({ length: 40_000 }, (_, line) => `line ${line * line}\n`).join(""));
    await writeFile(source, text.subarray(0, text.length - (text.length % 512)));
    const path = join(directory, `compressed-${compression}.qcow2`);
    const options = ["-c", "-o", `compression_type=${compression}`];
    await run("qemu-img", ["convert", "-f", "raw", "-O", "qcow2", ...options, source, path]);
    await using opened = await openChain([path]);
    expect((await readAll(opened.chain)).equals(await readFile(source))).toBe(true);
  }
});
