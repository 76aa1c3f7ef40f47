import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describeObjectStore } from "@ovault/testkit";

import plugin from "./sqlite-destination.ts";

const host = {
  secret: () => Promise.reject(new Error("this destination has no secrets")),
  signal: new AbortController().signal,
};

describeObjectStore("the example of docs/writing-a-destination.md", {
  open: async () => {
    const baseDirectory = await mkdtemp(join(tmpdir(), "ovault-sqlite-"));
    const store = await plugin.create({ file: "objects.db" }, { ...host, baseDirectory });
    const dispose = async () => {
      await store.close();
      await rm(baseDirectory, { recursive: true });
    };
    return { store, dispose };
  },
});
