import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";

import { afterAll, beforeAll, beforeEach } from "vitest";

import plugin, { SyntheticStore } from "@ovault/destination-synthetic";
import { mountReflinkDisk, type ReflinkDisk } from "@ovault/test-support/reflink-disk";

/** For calls of the plugin itself. */
export const pluginHost = {
  baseDirectory: "/",
  secret: () => Promise.reject(new Error("there are no secrets here")),
  signal: new AbortController().signal,
};

export interface SyntheticSite {
  readonly directory: string;
  readonly store: SyntheticStore;
}

/** Makes a synthetic destination in a new directory of an XFS that the tests of a file share; skips them without one. */
export function syntheticSites(): { open(): Promise<SyntheticSite & { dispose(): Promise<void> }> } {
  let disk: ReflinkDisk | undefined;
  beforeAll(async () => {
    disk = await mountReflinkDisk();
  });
  afterAll(async () => {
    await disk?.dispose();
  });
  beforeEach((context) => {
    if (disk === undefined) context.skip("no XFS can be mounted here");
  });
  return {
    async open() {
      if (disk === undefined) throw new Error("no XFS is mounted");
      const parent = await mkdtemp(join(disk.directory, "site-"));
      const directory = join(parent, "synthetic");
      await plugin.prepare?.({ directory }, pluginHost);
      const store = await SyntheticStore.open(directory);
      const dispose = async () => {
        for await (const { key } of store.list("", pluginHost)) await store.delete(key, pluginHost);
        await store.close();
        await rm(parent, { recursive: true });
      };
      return { directory, store, dispose };
    },
  };
}
