/** Puts its name under the same keys as its rivals, if absent; prints one answer for each round. */
import { readFile } from "node:fs/promises";

import { SftpStore } from "@ovault/destination-sftp";

const [, , settingsFile = "", name = "", rounds = ""] = process.argv;
const signal = new AbortController().signal;
const store = await SftpStore.open(JSON.parse(await readFile(settingsFile, "utf8")), signal);
for (let round = 0; round < Number(rounds); round++) {
  const answer = await store.put(`race/${round}`, [Buffer.from(name)], { ifAbsent: true, signal });
  process.stdout.write(`${answer}\n`);
}
// It is not closed: no connection may keep the process alive.
