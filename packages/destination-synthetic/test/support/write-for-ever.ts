import { SyntheticStore } from "@ovault/destination-synthetic";

/** Writes into a draft until it is killed. Prints a line when the first write is done. */
const [directory = "", from = ""] = process.argv.slice(2);
const signal = new AbortController().signal;
const store = await SyntheticStore.open(directory);
const draft = await store.create("vm/killed/disk", { logicalBytes: 1024 * 1024, from, signal });
for (let round = 0; ; round++) {
  await draft.write(0, Buffer.alloc(100_000, String(round)), signal);
  if (round === 0) process.stdout.write("writing\n");
}
