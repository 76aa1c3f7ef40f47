import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { describeObjectStore } from "@ovault/testkit";

import { SqliteStore } from "../src/sqlite-store.ts";

describeObjectStore("the SQLite destination", {
  runs: 10,
  open: async () => {
    const directory = await mkdtemp(join(tmpdir(), "ovault-sqlite-"));
    const file = join(directory, "objects.db");
    SqliteStore.prepare(file);
    const store = SqliteStore.open(file);
    const second = SqliteStore.open(file);
    const dispose = async () => {
      await Promise.all([store.close(), second.close()]);
      await rm(directory, { recursive: true });
    };
    return { store, second, dispose };
  },
});
