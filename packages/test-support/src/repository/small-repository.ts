import { randomUUID } from "node:crypto";

import type { Codec, ObjectStore } from "@ovault/contract";
import { Repository } from "@ovault/core";

import { encodeSettings } from "@ovault/core/internal/format/settings";

const signal = new AbortController().signal;

/** A repository with blocks and packs far smaller than users may choose, so that properties see many of them. */
export async function smallRepository(store: ObjectStore, blockBytes = 1024, codec?: Codec): Promise<Repository> {
  const settings = { id: randomUUID(), blockBytes, createdAt: new Date().toISOString(), digest: "blake3" as const };
  await store.put("ovault-repository", [encodeSettings(settings)], { ifAbsent: true, signal });
  return reopen(store, codec);
}

export function reopen(store: ObjectStore, codec?: Codec): Promise<Repository> {
  return Repository.open(store, { packBytes: 4096, signal, ...(codec === undefined ? {} : { codec }) });
}
