import type { CodecTable } from "../../blocks/codecs/codec-table.ts";
import { IntegrityError, copyInto, copyOf } from "@ovault/contract";
import { toHex } from "../../util/hex.ts";
import type { PackedChunk, UnpackedChunk } from "../../blocks/workers/block-job.ts";
import { unpackInWorker } from "../../blocks/workers/block-workers.ts";
import { sameId } from "../../format/digest.ts";
import { packKey } from "../../format/layout.ts";
import type { PackEntry } from "../packs/pack-entries.ts";
import type { Protection } from "../../format/protection.ts";

/** Bytes of a pack as they were read from `offset` on. Unpacking consumes them. */
export interface PackPart {
  /** Its name. */
  readonly pack: string;
  readonly offset: number;
  readonly stored: Uint8Array;
}

/** A chunk proved to match its id, with its plain bytes if wanted; or the reason why it does not. */
export type Unpacked =
  { readonly proved: true; readonly plain: Uint8Array } | { readonly proved: false; readonly error: IntegrityError };

/**
 * Where the plain bytes go: nowhere (`proof`), into memory of their own (`plain`), or into the shared memory that this
 * returns for the entry of that number.
 */
export type PlainWanted = "proof" | "plain" | ((number: number) => Uint8Array);

const NO_BYTES = new Uint8Array();

/** Turns stored chunks into plain bytes and proves each by its digest. */
export class ChunkUnpacker {
  readonly #codecs: CodecTable;
  readonly #protection: Protection;

  constructor({ codecs, protection }: { readonly codecs: CodecTable; readonly protection: Protection }) {
    this.#codecs = codecs;
    this.#protection = protection;
  }

  /** One answer for each of `entries`, all of which lie in `part`. The plain bytes belong to the caller. */
  async unpack(part: PackPart, entries: readonly PackEntry[], wanted: PlainWanted): Promise<readonly Unpacked[]> {
    const placeOf = typeof wanted === "function" ? wanted : undefined;
    // Worker threads do not know plugins' codecs: these entries get copies before the part is given away.
    const others = await Promise.all(
      entries.map((entry, number) =>
        this.#codecs.methodOf(entry.codec) === undefined
          ? this.#unpackByPlugin(part, entry, placeOf?.(number))
          : undefined,
      ),
    );
    const seal = this.#protection.packSeal(part.pack);
    const chunks = entries.flatMap(({ offset, storedBytes, plainBytes, codec }, number): PackedChunk[] => {
      const method = this.#codecs.methodOf(codec);
      if (method === undefined) return [];
      const at = offset - part.offset;
      const context = seal.contextOf(offset);
      return [{ at, storedBytes, context, codec: method, plainBytes, into: placeOf?.(number) }];
    });
    const { digest } = this.#protection;
    const job = { stored: part.stored, chunks, sealKey: seal.key, digest, keepPlain: wanted === "plain" };
    const unpacked = chunks.length === 0 ? [] : await unpackInWorker(job);
    const answers = unpacked.values();
    return entries.map(
      (entry, number) =>
        others[number] ?? this.#judge(part.pack, entry, { answer: answers.next().value, into: placeOf?.(number) }),
    );
  }

  async #unpackByPlugin(
    { pack, offset: start, stored }: PackPart,
    entry: PackEntry,
    into: Uint8Array | undefined,
  ): Promise<Unpacked> {
    const { offset, storedBytes, plainBytes, codec } = entry;
    try {
      const part = copyOf(stored.subarray(offset - start, offset - start + storedBytes));
      const encoded = await this.#protection.packSeal(pack).open(offset, part);
      const plain = await this.#codecs.byId(codec).decode(encoded, plainBytes);
      if (!sameId(await this.#protection.chunkId(plain), entry.id)) {
        return { proved: false, error: damaged(pack, entry, "does not match its digest") };
      }
      if (into !== undefined) copyInto(into, plain);
      return { proved: true, plain: into ?? plain };
    } catch (error) {
      if (!(error instanceof IntegrityError)) throw error;
      return { proved: false, error };
    }
  }

  #judge(
    pack: string,
    entry: PackEntry,
    { answer, into }: { readonly answer: UnpackedChunk | undefined; readonly into: Uint8Array | undefined },
  ): Unpacked {
    if (answer?.outcome === "plain" && sameId(answer.id, entry.id)) {
      return { proved: true, plain: into ?? answer.plain ?? NO_BYTES };
    }
    if (answer?.outcome === "sealed") {
      return { proved: false, error: this.#protection.packSeal(pack).refusal(entry.offset) };
    }
    const why = answer?.outcome === "encoded" ? `cannot be decoded: ${answer.reason}` : "does not match its digest";
    return { proved: false, error: damaged(pack, entry, why) };
  }
}

function damaged(pack: string, { id, offset }: PackEntry, why: string): IntegrityError {
  const key = packKey(pack);
  return new IntegrityError(`a chunk in ${key} ${why}`, {
    context: { chunk: toHex(id), key, offset },
    hint: "Run `ovault verify --all` to see which recovery points it belongs to.",
  });
}
