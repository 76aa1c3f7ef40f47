import { deflateRawSync, inflateRawSync } from "node:zlib";

import { expect, test } from "vitest";

import { type Codec, IntegrityError } from "@ovault/contract";
import { codecChecks, describeCodec, runCheck } from "@ovault/testkit";

const { signal } = new AbortController();

/** A codec that keeps the contract, on the main thread. */
const deflate: Codec = {
  id: 200,
  name: "deflate",
  async encode(plain) {
    const stored = deflateRawSync(plain);
    return stored.length < plain.length ? stored : undefined;
  },
  async decode(stored, plainBytes) {
    let plain: Buffer;
    try {
      plain = inflateRawSync(stored, { maxOutputLength: plainBytes + 1 });
    } catch (cause) {
      throw new IntegrityError("does not decode", { cause });
    }
    if (plain.length !== plainBytes) throw new IntegrityError("another length");
    return plain;
  },
};

describeCodec(deflate, { runs: 20 });

/** Each breaks one law, and the check that must tell. */
const offenders: Readonly<Record<string, readonly [codec: Partial<Codec>, check: string]>> = {
  "has an id that does not fit": [{ id: 256 }, "its id fits in one byte, and it has a name"],
  "stores what did not shrink": [
    { encode: async (plain) => deflateRawSync(plain) },
    "what was encoded is decoded to the same bytes, whatever they are",
  ],
  "uses the caller's buffer": [
    {
      encode: async (plain) => {
        const stored = await deflate.encode(plain);
        plain.fill(0);
        return stored;
      },
    },
    "what was encoded is decoded to the same bytes, whatever they are",
  ],
  "decodes all that there is": [
    { decode: async (stored) => inflateRawSync(stored) },
    "another length than the stored bytes have is an integrity error",
  ],
  "throws errors of its library": [
    {
      decode: async (stored, plainBytes) => {
        const plain = inflateRawSync(stored);
        if (plain.length !== plainBytes) throw new IntegrityError("another length");
        return plain;
      },
    },
    "hostile bytes are an integrity error, or give as many bytes as were asked for",
  ],
  "looks at the length afterwards": [
    {
      decode: async (stored, plainBytes) => {
        const plain = inflateRawSync(stored);
        // As a library does that decodes in a pool of threads.
        await new Promise(setImmediate);
        if (plain.length !== plainBytes) throw new IntegrityError("another length");
        return plain;
      },
    },
    "a few bytes that decode to many are refused without taking their space",
  ],
};

for (const [what, [replaced, name]] of Object.entries(offenders)) {
  test(`a codec that ${what} is found out`, async () => {
    const check = codecChecks.find((known) => known.name === name);
    if (check === undefined) throw new Error(`there is no check "${name}"`);
    const { status, detail } = await runCheck(check, { codec: { ...deflate, ...replaced }, runs: 30 }, signal);
    expect(detail).toMatch(/expected .*, got /);
    expect(status).toBe("failed");
  });
}
