/** Adds keys to a repository and removes old ones until it is killed; prints what it has done, once it is done. */
import { openKeyRing } from "@ovault/core";
import { FilesystemStore } from "@ovault/destination-filesystem";

import { secretOf } from "./numbered-secret.ts";

const KEPT = 3;
const [directory = "", round = ""] = process.argv.slice(2);
const { signal } = new AbortController();
const store = await FilesystemStore.open(directory);
const ring = await openKeyRing(store, { secret: secretOf("the first"), signal });
const ids: string[] = [];
for (let count = 0; ; count += 1) {
  const { id } = await ring.add(secretOf(`${round}-${count}`), { label: `${round}-${count}`, signal });
  ids.push(id);
  process.stdout.write(`added ${round}-${count}\n`);
  if (count < KEPT) continue;
  process.stdout.write(`removing ${round}-${count - KEPT}\n`);
  await ring.remove(ids[count - KEPT] ?? "", { evenInUse: false, signal });
}
