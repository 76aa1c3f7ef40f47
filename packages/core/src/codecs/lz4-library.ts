import koffi from "koffi";

import { MissingLibraryError } from "../errors/errors.ts";

/**
 * The part of LZ4's C library that is used here. Lengths in bytes. Neither reads or writes beyond the lengths it is given,
 * whatever the input holds.
 */
export interface Lz4Library {
  /** Answers the bytes written, or 0 when they do not fit. */
  readonly compress: (plain: Uint8Array, into: Uint8Array, plainBytes: number, intoBytes: number) => number;
  /** Answers the bytes written; less than 0 for what is no block of LZ4, or does not fit. */
  readonly decompress: (block: Uint8Array, into: Uint8Array, blockBytes: number, intoBytes: number) => number;
}

/** The name that has stood for the same interface since 2014. */
const FILE = process.platform === "darwin" ? "liblz4.1.dylib" : "liblz4.so.1";

let library: Lz4Library | undefined;

/**
 * The system's own library, loaded at the first call. It encodes a third faster, and decodes twice as fast, as any LZ4 that the
 * npm registry has ready-made.
 * @throws MissingLibraryError
 */
export function lz4Library(): Lz4Library {
  return (library ??= load());
}

function load(): Lz4Library {
  try {
    const file = koffi.load(FILE);
    return {
      compress: file.func("int LZ4_compress_default(const void *, void *, int, int)"),
      decompress: file.func("int LZ4_decompress_safe(const void *, void *, int, int)"),
    };
  } catch (cause) {
    throw new MissingLibraryError(`the system's LZ4 library could not be loaded (${FILE})`, {
      cause,
      hint: "Install it: apt-get install liblz4-1, or dnf install lz4-libs. For new backups, `codec: zstd` does without.",
    });
  }
}
