import { type Codec, IntegrityError } from "@ovault/contract";
import type { CodecMethod } from "../workers/block-job.ts";
import { BuiltInCodec } from "./built-in-codec.ts";
import { lz4 } from "./lz4.ts";
import { plain } from "./plain.ts";
import { zstandard } from "./zstandard.ts";

/** All codecs that a repository can decode, by their persisted id. */
export class CodecTable {
  readonly #codecs = new Map<number, Codec>();

  constructor(additional: readonly Codec[] = []) {
    for (const codec of [plain, lz4, zstandard(), ...additional]) this.#codecs.set(codec.id, codec);
  }

  /** How worker threads decode what this codec has encoded; undefined for a plugin's codec and for an unknown one. */
  methodOf(id: number): CodecMethod | undefined {
    const codec = this.#codecs.get(id);
    return codec instanceof BuiltInCodec ? codec.method : undefined;
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
