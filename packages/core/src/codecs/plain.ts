import type { Codec } from "../contract/codec.ts";
import { IntegrityError } from "../errors/errors.ts";

/** Codec 0: bytes as they are. Also what every other codec falls back to when a chunk does not shrink. */
export const plain: Codec = {
  id: 0,
  name: "none",
  encode: () => Promise.resolve(undefined),
  decode(stored, plainBytes) {
    if (stored.byteLength === plainBytes) return Promise.resolve(stored);
    return Promise.reject(
      new IntegrityError("a plain chunk has another length than the index says", { context: { plainBytes } }),
    );
  },
};
