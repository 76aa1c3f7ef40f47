/** Puts objects of many sizes in four lanes until it is killed; prints each key once its put has returned. */
import { readFile } from "node:fs/promises";

import { SftpStore } from "@ovault/destination-sftp";

const [, , settingsFile = "", round = ""] = process.argv;
const signal = new AbortController().signal;
const store = await SftpStore.open(JSON.parse(await readFile(settingsFile, "utf8")), signal);

async function lane(name: number): Promise<never> {
  for (let i = 0; ; i++) {
    const bytes = ((i * 7 + name) % 40) * 20_000;
    const key = `round-${round}/${name}/${i}.${bytes}`;
    await store.put(key, [Buffer.alloc(bytes, name)], { ifAbsent: i % 2 === 0, signal });
    process.stdout.write(`${key}\n`);
  }
}

await Promise.all([0, 1, 2, 3].map(lane));
