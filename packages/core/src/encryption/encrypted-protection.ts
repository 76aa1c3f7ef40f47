import { machineKey } from "@ovault/contract";
import type { Protection } from "../format/protection.ts";
import type { DigestName } from "../blocks/digests/chunk-digest.ts";
import { digestInWorker } from "../blocks/workers/block-workers.ts";
import type { RepositoryKey } from "./repository-key.ts";
import { sealedDocuments } from "./sealed-documents.ts";
import { SealedPacks } from "./sealed-packs.ts";

/** Names are keyed digests; without the key the store shows only sizes and times. */
export function encryptedProtection(key: RepositoryKey, digestName: DigestName): Protection {
  const digest = { name: digestName, key: key.digestKey("chunk") };
  const mac = key.mac("name");
  const nameOfText = (text: string): string => mac(text).toString("hex").slice(0, 32);
  const packs = new SealedPacks(key);
  return {
    digest,
    chunkId: (plain) => digestInWorker(digest, plain),
    folderOf: nameOfText,
    nameOf: (machine) => nameOfText(machineKey(machine)),
    packSeal: (name) => packs.sealOf(name),
    documents: (store) => sealedDocuments(store, key),
  };
}
