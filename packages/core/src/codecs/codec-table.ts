import type { Codec } from "../contract/codec.ts";
import { IntegrityError } from "../errors/errors.ts";
import { lz4 } from "./lz4.ts";
import { plain } from "./plain.ts";
import { zstandard } from "./zstandard.ts";

/** All codecs a repository can decode, by their persisted id. */
export class CodecTable {
  readonly #codecs = new Map<number, Codec>();

  constructor(additional: readonly Codec[] = []) {
    for (const codec of [plain, lz4, zstandard(), ...additional]) this.#codecs.set(codec.id, codec);
  }

  byId(id: number): Codec {
    const codec = this.#codecs.get(id);
    if (codec !== undefined) return codec;
    throw new IntegrityError(`a chunk was written with codec ${id}, which is not installed`, {
      context: { codec: id },
      hint: "Load the plugin that provides this codec, or update ovault.",
    });
  }
}
