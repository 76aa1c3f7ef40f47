/**
 * Makes a repository to be kept as it is: `make-fixture.ts NAME [encrypted]` writes the directory NAME beside this file, and
 * what is in it as NAME.json. Run once for each version of the format, by the release that writes it; what was committed is
 * never made again.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import type { RepositorySecret } from "@ovault/core";
import { FilesystemStore } from "@ovault/destination-filesystem";

import { writeRepository } from "./write-repository.ts";

const [name = "", encrypted] = process.argv.slice(2);
const directory = join(import.meta.dirname, name);
await mkdir(directory);
const disks = await writeRepository(await FilesystemStore.open(directory), await secrets());
await writeFile(`${directory}.json`, `${JSON.stringify({ disks }, undefined, 2)}\n`);

/** Imported when needed: releases before version 2 have none. */
async function secrets(): Promise<readonly RepositorySecret[]> {
  return encrypted === undefined ? [] : (await import("./secrets.ts")).secrets;
}
