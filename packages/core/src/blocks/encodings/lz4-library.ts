import { createRequire } from "node:module";

import type Koffi from "koffi";

import { MissingLibraryError } from "@ovault/contract";
import { warnOnce } from "../../util/warn-once.ts";
import { decompressLz4 } from "./decompress-lz4.ts";

/**
 * The functions of LZ4's C library that ovault uses. Lengths in bytes. Neither reads or writes beyond the given
 * lengths, whatever the input holds.
 */
export interface Lz4Library {
  /** Answers the bytes written, or 0 when they do not fit. */
  readonly compress: (plain: Uint8Array, into: Uint8Array, plainBytes: number, intoBytes: number) => number;
  /** Answers the bytes written; less than 0 for an invalid block, or one that does not fit. */
  readonly decompress: (block: Uint8Array, into: Uint8Array, blockBytes: number, intoBytes: number) => number;
}

/** The library's name since 2014, with the same interface. */
const DEFAULT_FILE = process.platform === "darwin" ? "liblz4.1.dylib" : "liblz4.so.1";

let library: Lz4Library | MissingLibraryError | undefined;

/**
 * The system's own library, or the one that OVAULT_LIBLZ4 names, loaded at the first call. It encodes a third faster, and
 * decodes twice as fast, as any LZ4 that the npm registry has ready-made.
 * @throws MissingLibraryError
 */
export function lz4Library(): Lz4Library {
  library ??= load(process.env["OVAULT_LIBLZ4"] ?? DEFAULT_FILE);
  if (library instanceof MissingLibraryError) throw library;
  return library;
}

/**
 * Decodes one block with the library, or without it where it is missing: any machine can read what was stored. Answers
 * the bytes written; less than 0 for an invalid block, or one that does not fit.
 */
export function decompressBlock(block: Uint8Array, into: Uint8Array): number {
  let decompress: Lz4Library["decompress"];
  try {
    ({ decompress } = lz4Library());
  } catch (error) {
    if (!(error instanceof MissingLibraryError)) throw error;
    warnOnce(`${error.message}: LZ4 is decoded without it, more slowly. ${error.hint ?? ""}`);
    return decompressLz4(block, into);
  }
  return decompress(block, into, block.byteLength, into.byteLength);
}

function load(name: string): Lz4Library | MissingLibraryError {
  try {
    // Not an import: where koffi has no binary for this machine, everything else must work.
    const koffi = createRequire(import.meta.url)("koffi") as typeof Koffi;
    const file = koffi.load(name);
    return {
      compress: file.func("int LZ4_compress_default(const void *, void *, int, int)"),
      decompress: file.func("int LZ4_decompress_safe(const void *, void *, int, int)"),
    };
  } catch (cause) {
    return new MissingLibraryError(`the system's LZ4 library could not be loaded (${name})`, {
      cause,
      context: { library: name },
      hint: "Install it: apt-get install liblz4-1, or dnf install lz4-libs. New backups need it, unless `compression: zstd` is set.",
    });
  }
}
