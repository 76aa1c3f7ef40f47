import { createHash, type KeyObject } from "node:crypto";

import { machineKey, type MachineIdentity, type ObjectStore, IntegrityError } from "@ovault/contract";
import type { ChunkDigest, DigestName } from "../blocks/digests/chunk-digest.ts";
import type { SealContext } from "../blocks/aes-gcm.ts";
import { digestInWorker } from "../blocks/workers/block-workers.ts";
import type { ChunkId } from "./digest.ts";

/** How a repository names what it stores, and whether it hides the content. */
export interface Protection {
  /** Id of a chunk or page from its plain bytes, off the main thread. `plain` must not change meanwhile. */
  chunkId(plain: Uint8Array): Promise<ChunkId>;
  /** The algorithm of the ids. */
  readonly digest: ChunkDigest;
  /**
   * Folder of the points of machines with this id, 32 hex digits, so that ids from outside never become parts of a path.
   * Machines of several managers may share it.
   */
  folderOf(vmId: string): string;
  /** Name of one machine, 32 hex digits. */
  nameOf(machine: MachineIdentity): string;
  /** The seal for the chunks of the pack of this name. */
  packSeal(name: string): PackSeal;
  /** The store for reading and writing every object but packs, keys and settings. */
  documents(store: ObjectStore): ObjectStore;
}

/** Hides what one pack holds. Each seal is bound to the chunk's place, so that no chunk can stand in for another. */
export interface PackSeal {
  /** Version of the pack's format, as its header names it. */
  readonly version: number;
  /** Bytes that sealing adds to each chunk, and to the directory. */
  readonly overheadBytes: number;
  /** The key that seals chunks; undefined when they are not sealed. */
  readonly key: KeyObject | undefined;
  /** The context of the chunk that starts at this offset. */
  contextOf(offset: number): SealContext;
  /** Runs off the main thread. Consumes `encoded`. */
  seal(offset: number, encoded: Uint8Array): Promise<Uint8Array>;
  /** @throws IntegrityError unless it is what `seal` made for this place */
  open(offset: number, stored: Uint8Array): Promise<Uint8Array>;
  /** What `open` throws. */
  refusal(offset: number): IntegrityError;
  /** The same for the pack's directory, which no chunk can pass for. Also proves the pack's header. */
  sealDirectory(place: DirectoryPlace, entries: Uint8Array): Uint8Array;
  /** @throws IntegrityError */
  openDirectory(place: DirectoryPlace, stored: Uint8Array): Uint8Array;
}

export interface DirectoryPlace {
  readonly offset: number;
  /** The first bytes of the pack. */
  readonly header: Uint8Array;
}

const openSeal: PackSeal = {
  version: 1,
  overheadBytes: 0,
  key: undefined,
  contextOf: (offset) => ({ place: offset }),
  seal: (_offset, encoded) => Promise.resolve(encoded),
  open: (_offset, stored) => Promise.resolve(stored),
  refusal: (offset) => new IntegrityError("a chunk that is not sealed cannot be opened", { context: { offset } }),
  sealDirectory: (_place, entries) => entries,
  openDirectory: (_place, stored) => stored,
};

/** Names are digests, and anyone with access to the store can read the content. */
export function plainProtection(digestName: DigestName): Protection {
  const digest = { name: digestName, key: undefined };
  return {
    digest,
    chunkId: (plain) => digestInWorker(digest, plain),
    folderOf: nameOfText,
    nameOf: (machine) => nameOfText(machineKey(machine)),
    packSeal: () => openSeal,
    documents: (store) => store,
  };
}

function nameOfText(text: string): string {
  return createHash("sha256").update(text, "utf8").digest("hex").slice(0, 32);
}
