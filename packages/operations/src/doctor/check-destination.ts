import { randomUUID } from "node:crypto";

import { type Finding, finding, plural, StoreError, type Checklist, type ObjectStore } from "@ovault/contract";
import { chooseEntry, Repository } from "@ovault/core";

import type { Installation } from "../installation/installation.ts";

/**
 * Checks that a destination can be read, deleted from and, unless read-only, written, and that its repository opens.
 */
export async function checkDestination(
  installation: Installation,
  name: string,
  list: Checklist,
  signal: AbortSignal,
): Promise<void> {
  await list.run(`${name}: repository`, async () => {
    if ((await installation.contentOf(name)) === "images") return await checkImages(installation, name, signal);
    const isReadOnly = chooseEntry(installation.configuration, "destination", name).settings.readOnly === true;
    const store = await installation.store(name);
    try {
      if (!isReadOnly) await probe(store, signal);
      const repository = await Repository.open(store, await installation.access(name));
      const { points, damaged } = await repository.points.list(signal);
      const bad = damaged.length + repository.damaged.length;
      if (bad === 0)
        return finding.ok(
          `${isReadOnly ? "set to be read-only" : "writable"}, ${plural(points.length, "recovery point")}`,
        );
      return finding.warn(`${plural(bad, "damaged object")}`, "Run `ovault verify --all`.");
    } finally {
      await store.close();
    }
  });
}

/** The store has cloned a file by the time that it is open. */
async function checkImages(installation: Installation, name: string, signal: AbortSignal): Promise<Finding> {
  const isReadOnly = chooseEntry(installation.configuration, "destination", name).settings.readOnly === true;
  const { points } = await installation.points(name);
  const { points: listed, damaged } = await points.list(signal);
  if (damaged.length > 0) return finding.warn(plural(damaged.length, "damaged manifest"), "Run `ovault verify --all`.");
  return finding.ok(`${isReadOnly ? "set to be read-only" : "writable"}, ${plural(listed.length, "recovery point")}`);
}

async function probe(store: ObjectStore, signal: AbortSignal): Promise<void> {
  const key = `probe/${randomUUID()}`;
  const written = Buffer.from(key);
  await store.put(key, [written], { ifAbsent: true, signal });
  try {
    const read = await store.get(key, { signal });
    if (!written.equals(read)) throw new StoreError("the destination does not return what was written to it");
  } finally {
    await store.delete(key, { signal });
  }
}
