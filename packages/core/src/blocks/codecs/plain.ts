import { BuiltInCodec } from "./built-in-codec.ts";
import { assertPlainLength } from "../encodings/plain-block.ts";

/** Too little work for a thread. */
class PlainCodec extends BuiltInCodec {
  override encode(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  override async decode(stored: Uint8Array, plainBytes: number): Promise<Uint8Array> {
    assertPlainLength(stored, plainBytes);
    return stored;
  }
}

/** Codec 0: bytes as they are. Other codecs fall back to it when a chunk does not shrink. */
export const plain = new PlainCodec(0, { name: "none" });
