import { randomUUID } from "node:crypto";

import { type Codec, type ObjectStore, Repository } from "@ovault/core";

import { encodeDocument } from "../../src/repository/document.ts";

const signal = new AbortController().signal;

/** A repository with blocks and packs far smaller than users may choose, so that properties see many of them. */
export async function smallRepository(store: ObjectStore, blockBytes = 1024, codec?: Codec): Promise<Repository> {
  const settings = { id: randomUUID(), blockBytes, createdAt: new Date().toISOString() };
  await store.put("ovault-repository", [encodeDocument("repository", 1, settings)], { ifAbsent: true, signal });
  return reopen(store, codec);
}

export function reopen(store: ObjectStore, codec?: Codec): Promise<Repository> {
  return Repository.open(store, { packBytes: 4096, signal, ...(codec === undefined ? {} : { codec }) });
}
