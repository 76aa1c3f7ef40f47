import { expect } from "vitest";

import { FileByteSource, ImageChain, Qcow2Layer } from "../../src/index.ts";

const { signal } = new AbortController();
const ODD_BYTES = 300_001;

/** A chain of files, the newest first, open until it is disposed of. */
export async function openChain(paths: readonly string[]): Promise<AsyncDisposable & { readonly chain: ImageChain }> {
  const sources = await Promise.all(paths.map((path) => FileByteSource.open(path)));
  const layers = await Promise.all(
    sources.map((source, index) =>
      paths[index]?.endsWith("raw") === true ? { raw: source } : Qcow2Layer.open(source, signal),
    ),
  );
  return {
    chain: new ImageChain(layers),
    async [Symbol.asyncDispose]() {
      for (const source of sources) await source[Symbol.asyncDispose]();
    },
  };
}

/** Reads by extents, and every extent in pieces of an odd size. What is unchanged is taken from `base`. */
export async function readAll(chain: ImageChain, base?: Buffer, changedIn?: number): Promise<Buffer> {
  const image = Buffer.alloc(chain.logicalBytes, 0xee);
  let position = 0;
  for await (const { offset, length, kind } of chain.extents(signal, changedIn === undefined ? {} : { changedIn })) {
    expect(offset).toBe(position);
    position += length;
    if (kind === "zero") image.fill(0, offset, offset + length);
    if (kind === "unchanged") base?.copy(image, offset, offset, offset + length);
    const end = kind === "data" ? offset + length : offset;
    for (let at = offset; at < end; at += ODD_BYTES) {
      await chain.readInto(at, image.subarray(at, Math.min(end, at + ODD_BYTES)), signal);
    }
  }
  expect(position).toBe(chain.logicalBytes);
  return image;
}
