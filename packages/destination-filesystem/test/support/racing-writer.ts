/** Puts its name under the same keys as its rival, if absent; prints one answer for each round. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { FilesystemStore } from "@ovault/destination-filesystem";

import { publishUnderMarker } from "../../src/publish.ts";

const [, , directory = "", name = "", rounds = "", way = ""] = process.argv;
const signal = new AbortController().signal;
const store = await FilesystemStore.open(directory);

/** The way for file systems without hard links, which a disk that has them never takes by itself. */
async function putUnderMarker(round: number): Promise<"stored" | "exists"> {
  const draft = join(directory, `${name}-${round}.draft`);
  await mkdir(join(directory, "race"), { recursive: true });
  await writeFile(draft, name);
  return await publishUnderMarker({ draft, target: join(directory, "race", `${round}`) }, join(directory, `~${round}`));
}

for (let round = 0; round < Number(rounds); round++) {
  const answer =
    way === "marker"
      ? await putUnderMarker(round)
      : await store.put(`race/${round}`, [Buffer.from(name)], { ifAbsent: true, signal });
  process.stdout.write(`${answer}\n`);
}
