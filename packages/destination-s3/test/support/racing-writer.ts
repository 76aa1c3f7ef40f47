/** Puts its name under the same keys as its rival, if absent; prints one answer for each round. */
import { text } from "node:stream/consumers";

import { openStore } from "./s3-destination.ts";

const [, , name = "", options = "", rounds = ""] = process.argv;
const signal = new AbortController().signal;
const store = await openStore(JSON.parse(options));
process.stdout.write("ready\n");
await text(process.stdin);

for (let round = 0; round < Number(rounds); round += 1) {
  const answer = await store.put(`race/${round}`, [Buffer.from(name)], { ifAbsent: true, signal });
  process.stdout.write(`${answer}\n`);
}
await store.close();
