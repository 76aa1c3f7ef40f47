import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { FilesystemStore } from "@ovault/destination-filesystem";

export interface TemporaryStore {
  readonly directory: string;
  readonly store: FilesystemStore;
  dispose(): Promise<void>;
}

/** A store over an empty directory of its own. */
export async function openTemporaryStore(): Promise<TemporaryStore> {
  const directory = await mkdtemp(join(tmpdir(), "ovault-filesystem-"));
  const store = await FilesystemStore.open(directory);
  const dispose = async () => {
    await store.close();
    await rm(directory, { recursive: true });
  };
  return { directory, store, dispose };
}
