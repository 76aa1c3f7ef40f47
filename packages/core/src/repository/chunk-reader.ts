import type { CodecTable } from "../codecs/codec-table.ts";
import type { ObjectStore } from "../contract/object-store.ts";
import { IntegrityError } from "../errors/errors.ts";
import { hasCode } from "../errors/ovault-error.ts";
import { toHex } from "../util/hex.ts";
import type { ChunkIndex } from "./chunk-index.ts";
import { digest, sameId, type ChunkId } from "./digest.ts";
import { packKey } from "./layout.ts";

/** Reads chunks back and never returns one that does not match its digest. */
export class ChunkReader {
  readonly #store: ObjectStore;
  readonly #index: ChunkIndex;
  readonly #codecs: CodecTable;

  constructor(store: ObjectStore, index: ChunkIndex, codecs: CodecTable) {
    this.#store = store;
    this.#index = index;
    this.#codecs = codecs;
  }

  /** The plain bytes of a chunk. Throws IntegrityError when it is missing, cut or changed. */
  async load(id: ChunkId, signal: AbortSignal): Promise<Uint8Array> {
    const location = this.#index.find(id);
    if (location === undefined) {
      throw new IntegrityError(`chunk ${toHex(id)} is in no pack of the repository`, { context: { chunk: toHex(id) } });
    }
    const key = packKey(location.pack.name);
    const context = { chunk: toHex(id), key, offset: location.offset };
    let stored: Uint8Array;
    try {
      const range = { offset: location.offset, length: location.storedBytes };
      stored = await this.#store.get(key, { range, signal });
    } catch (error) {
      if (!hasCode(error, "E_OBJECT_NOT_FOUND")) throw error;
      throw new IntegrityError(`pack ${key} is missing from the destination`, { cause: error, context });
    }
    const plain = await this.#codecs.byId(location.codec).decode(stored, location.plainBytes);
    if (!sameId(await digest(plain), id)) {
      throw new IntegrityError(`a chunk in ${key} does not match its digest`, {
        context,
        hint: "Run `ovault verify --all` to see which recovery points it belongs to.",
      });
    }
    return plain;
  }
}
