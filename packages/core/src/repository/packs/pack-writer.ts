import type { ObjectStore } from "@ovault/contract";
import { release } from "../../util/release.ts";
import type { PackListing } from "./pack-listing.ts";
import { packKey } from "../../format/layout.ts";
import { retaining } from "../../format/retaining.ts";
import { HEADER_BYTES, PackEntries, type PackEntry } from "./pack-entries.ts";
import { encodeDirectory, encodeHeader, type PackKind } from "./pack-format.ts";
import type { PackSeal, Protection } from "../../format/protection.ts";

export interface PackWriterOptions {
  readonly store: ObjectStore;
  readonly protection: Protection;
  readonly retainUntil: () => Date | undefined;
  /** Names a new pack. */
  readonly newName: () => string;
  readonly kind: PackKind;
  /** A pack is put when it has reached this many bytes, or the limit of chunks. */
  readonly targetBytes: number;
  /**
   * Packs being put at once; `append` waits for one to finish. Bounds memory to maxPuts packs and the one being filled.
   */
  readonly maxPuts: number;
  readonly onPut: (listing: PackListing) => void | Promise<void>;
  /** The first put has failed: packs not put yet never will be. */
  readonly onFailure: () => void;
  readonly signal: AbortSignal;
}

/** Chunks may be stored in a few bytes each; the records kept for them until their pack is put take more. */
const MOST_CHUNKS = 16 * 1024;

/** A pack that is being filled. */
class Draft {
  readonly name: string;
  readonly seal: PackSeal;
  readonly parts: Promise<Uint8Array>[] = [];
  readonly entries: PackEntry[] = [];
  bytes = HEADER_BYTES;

  constructor(name: string, protection: Protection) {
    this.name = name;
    this.seal = protection.packSeal(name);
  }
}

/**
 * Gathers stored chunks into packs and puts full packs in the background. The first failed put fails every later call,
 * and `finish`: nothing may be sealed on top of a lost pack.
 */
export class PackWriter {
  readonly #options: PackWriterOptions;
  readonly #puts = new Set<Promise<void>>();
  #draft: Draft | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor(options: PackWriterOptions) {
    this.#options = options;
  }

  /**
   * Appends and consumes `encoded`. Reserves its place at once, so that lanes may seal their chunks at the same time.
   * Resolves to the bytes it takes in the pack.
   */
  async append(chunk: Pick<PackEntry, "id" | "plainBytes" | "codec">, encoded: Uint8Array): Promise<number> {
    this.#rethrow();
    const draft = (this.#draft ??= this.#newDraft());
    const offset = draft.bytes;
    const storedBytes = encoded.byteLength + draft.seal.overheadBytes;
    const sealed = draft.seal.seal(offset, encoded);
    draft.entries.push({ ...chunk, offset, storedBytes });
    draft.parts.push(sealed);
    draft.bytes += storedBytes;
    if (draft.bytes >= this.#options.targetBytes || draft.entries.length >= MOST_CHUNKS) this.#put(draft);
    await sealed;
    while (this.#puts.size >= this.#options.maxPuts) await Promise.race(this.#puts);
    this.#rethrow();
    return storedBytes;
  }

  /** Puts the current pack, full or not, unless `maxPuts` puts are under way. */
  flushSoon(): void {
    const { maxPuts } = this.#options;
    if (this.#draft !== undefined && this.#failure === undefined && this.#puts.size < maxPuts) this.#put(this.#draft);
  }

  /** Puts the rest and waits until every pack is durable. */
  async finish(): Promise<void> {
    if (this.#draft !== undefined && this.#failure === undefined) this.#put(this.#draft);
    await this.idle();
    this.#rethrow();
  }

  /** Waits until no put is in flight; ignores failures. */
  async idle(): Promise<void> {
    while (this.#puts.size > 0) await Promise.all(this.#puts);
  }

  #newDraft(): Draft {
    return new Draft(this.#options.newName(), this.#options.protection);
  }

  #put({ name, seal, parts, entries: listed, bytes: dataEnd }: Draft): void {
    const { store, kind, retainUntil, signal, onPut } = this.#options;
    this.#draft = undefined;
    const put = (async () => {
      try {
        const chunks = await Promise.all(parts);
        const header = encodeHeader(kind, seal);
        const entries = PackEntries.of(listed);
        const pack = [header, ...chunks, ...encodeDirectory(seal, header, entries, dataEnd)];
        await store.put(packKey(name), pack, { ifAbsent: true, signal, ...retaining(retainUntil()) });
        for (const chunk of chunks) release(chunk);
        await onPut({ name, kind, dataEnd, entries });
      } catch (error) {
        if (this.#failure !== undefined) return;
        this.#failure = { error };
        this.#options.onFailure();
      }
    })();
    const settled = put.finally(() => this.#puts.delete(settled));
    this.#puts.add(settled);
  }

  #rethrow(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}
