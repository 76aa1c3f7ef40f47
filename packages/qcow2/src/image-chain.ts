import type { Extent } from "@ovault/contract";

import type { ByteSource } from "./byte-source.ts";
import { ImageCorruptError } from "./errors.ts";
import { Qcow2Layer, type LayerPiece } from "./qcow2-layer.ts";

/** The lowest layer of a chain whose base is a raw image. */
export interface RawLayer {
  readonly raw: ByteSource;
}

/** A range of the disk and the layer that decides its content; without one it reads as zeros. */
interface Found {
  readonly piece: LayerPiece;
  readonly layer: Qcow2Layer | RawLayer | undefined;
  /** Depth of the layer; 0 is the top. */
  readonly depth: number;
}

/** A disk made of layers, as its virtual machine sees it. */
export class ImageChain {
  readonly logicalBytes: number;
  /** The newest first. */
  readonly #layers: readonly (Qcow2Layer | RawLayer)[];

  /** `layers`: the newest first. A raw image can only be the last. */
  constructor(layers: readonly (Qcow2Layer | RawLayer)[]) {
    const [top] = layers;
    if (top === undefined) throw new RangeError("a chain has one layer at least");
    if (layers.slice(0, -1).some((layer) => !(layer instanceof Qcow2Layer))) {
      throw new ImageCorruptError("a raw image can only be the base of a chain");
    }
    this.#layers = layers;
    this.logicalBytes = sizeOf(top);
  }

  /**
   * Ascending, gapless, covering the disk, joined. With `changedIn`, a range that none of the newest `changedIn` layers
   * decides is `unchanged`: it is as it was before the first of them was made.
   */
  async *extents(signal: AbortSignal, options: { readonly changedIn?: number } = {}): AsyncGenerator<Extent> {
    const { changedIn = Number.POSITIVE_INFINITY } = options;
    let open: Extent | undefined;
    for await (const { piece, layer, depth } of this.#find(0, 0, this.logicalBytes, changedIn, signal)) {
      const { offset, length } = piece;
      const kind = depth >= changedIn ? "unchanged" : layer === undefined || piece.kind === "zero" ? "zero" : "data";
      if (open?.kind === kind) open = { ...open, length: open.length + length };
      else {
        if (open !== undefined) yield open;
        open = { offset, length, kind };
      }
    }
    if (open !== undefined) yield open;
  }

  /** Fills `target` exactly, from the layers that hold the range. */
  async readInto(offset: number, target: Uint8Array, signal: AbortSignal): Promise<void> {
    if (offset + target.length > this.logicalBytes) throw new RangeError("the range ends outside the disk");
    for await (const { piece, layer } of this.#find(0, offset, target.length, Number.POSITIVE_INFINITY, signal)) {
      const part = target.subarray(piece.offset - offset, piece.offset - offset + piece.length);
      if (layer === undefined || piece.kind === "zero") part.fill(0);
      else if (layer instanceof Qcow2Layer) await layer.readPiece(piece, part, signal);
      else await layer.raw.readInto(piece.offset, part, signal);
    }
  }

  async *#find(
    depth: number,
    offset: number,
    length: number,
    deepest: number,
    signal: AbortSignal,
  ): AsyncGenerator<Found> {
    const layer = depth < deepest ? this.#layers[depth] : undefined;
    // A layer that is smaller than those above it ends in zeros.
    const covered = layer === undefined ? 0 : Math.max(0, Math.min(length, sizeOf(layer) - offset));
    if (layer !== undefined && covered > 0) {
      if (!(layer instanceof Qcow2Layer)) yield { piece: { offset, length: covered, kind: "data" }, layer, depth };
      else {
        for await (const piece of layer.pieces(offset, covered, signal)) {
          if (piece.kind !== "absent") yield { piece, layer, depth };
          else yield* this.#find(depth + 1, piece.offset, piece.length, deepest, signal);
        }
      }
    }
    if (covered === length) return;
    const rest = { offset: offset + covered, length: length - covered, kind: "zero" } as const;
    yield { piece: rest, layer: undefined, depth };
  }
}

function sizeOf(layer: Qcow2Layer | RawLayer): number {
  return layer instanceof Qcow2Layer ? layer.logicalBytes : layer.raw.fileBytes;
}
