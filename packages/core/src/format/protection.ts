import { createHash, type KeyObject } from "node:crypto";

import { machineKey, type MachineIdentity, type ObjectStore, IntegrityError } from "@ovault/contract";
import type { ChunkDigest, DigestName } from "../blocks/digests/chunk-digest.ts";
import type { SealContext } from "../blocks/aes-gcm.ts";
import { digestInWorker } from "../blocks/workers/block-workers.ts";
import type { ChunkId } from "./digest.ts";

/** How a repository names what it stores, and whether others can read it. */
export interface Protection {
  /** Id of a chunk or page from its plain bytes, off the main thread. `plain` must not change meanwhile. */
  chunkId(plain: Uint8Array): Promise<ChunkId>;
  /** By which ids are made. */
  readonly digest: ChunkDigest;
  /**
   * Folder of the points of machines with this id, 32 hex digits, so that ids from outside never become parts of a path.
   * Machines of several managers may share it.
   */
  folderOf(vmId: string): string;
  /** Name of one machine, 32 hex digits. */
  nameOf(machine: MachineIdentity): string;
  /** For the chunks of the pack of this name. */
  packSeal(name: string): PackSeal;
  /** The store through which every object but packs, keys and settings is written and read. */
  documents(store: ObjectStore): ObjectStore;
}

/** Hides what one pack holds. A chunk is known by where it lies, so that none can stand in for another. */
export interface PackSeal {
  /** Of the form of the pack, as its header says it. */
  readonly version: number;
  /** What sealing adds to each chunk, and to the directory. */
  readonly overheadBytes: number;
  /** With which chunks are sealed; undefined when they lie open. */
  readonly key: KeyObject | undefined;
  /** Of the chunk that starts there. */
  contextOf(offset: number): SealContext;
  /** Off the main thread. `encoded` is used up. */
  seal(offset: number, encoded: Uint8Array): Promise<Uint8Array>;
  /** @throws IntegrityError unless it is what `seal` made for this place. */
  open(offset: number, stored: Uint8Array): Promise<Uint8Array>;
  /** What `open` throws. */
  refusal(offset: number): IntegrityError;
  /** The same for the pack's directory; never takes a chunk for one. Proves the pack's header with it. */
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

/** Names are digests, and whoever has the store can read it. */
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
