/**
 * Opens a repository over and over, with a cache that others use too, and ends in an error when it is not the same as
 * without. Prints a line a round:
 *
 *     use-index-cache.ts DIRECTORY REPOSITORY-ID BLOCKS ROUNDS
 */
import { strict as assert } from "node:assert";
import { rm } from "node:fs/promises";
import { join } from "node:path";

import { CachedRepository } from "./cached-repository.ts";

const [directory = "", id = "", blocks = "", rounds = "1"] = process.argv.slice(2);
const repository = await CachedRepository.create(directory, id);
for (const block of blocks.split(",")) await repository.run([Number(block)], { cached: false });
const expected = await repository.places({ cached: false });
for (let round = 0; round < Number(rounds); round += 1) {
  // So that there is always something to write.
  await rm(join(directory, id), { force: true });
  assert.deepEqual(await repository.places({ cached: true }), expected);
  assert.deepEqual(await repository.places({ cached: true }), expected);
  process.stdout.write(`${round}\n`);
}
