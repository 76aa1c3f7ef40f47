import { randomBytes } from "node:crypto";

import * as fc from "fast-check";
import { expect, test } from "vitest";

import { RepositorySecret } from "@ovault/core";
import { arbitraryDisk, MemoryStore, sourceOf } from "@ovault/testkit";
import { smallEncrypted } from "@ovault/test-support/repository/encrypted-repository";
import { takePoint } from "@ovault/test-support/repository/take-point";

import { zstandard } from "../../src/blocks/codecs/zstandard.ts";

import { type PlainSecret, readWithoutOvault } from "../support/independent-reader.ts";

const secrets: fc.Arbitrary<PlainSecret> = fc.oneof(
  fc.string({ minLength: 1, unit: "grapheme" }).map((passphrase) => ({ passphrase })),
  fc.nat().map(() => ({ keyFile: randomBytes(32) })),
);

test("a reader that was written from the specification alone restores every disk", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(arbitraryDisk(6), { minLength: 1, maxLength: 3 }), secrets, async (disks, secret) => {
      const store = new MemoryStore();
      const opens =
        "passphrase" in secret
          ? RepositorySecret.passphrase(secret.passphrase)
          : RepositorySecret.keyFile(secret.keyFile);
      const repository = await smallEncrypted(store, opens, { codec: zstandard(1) });
      const point = await takePoint(
        repository,
        disks.map((disk, index) => sourceOf(disk, { id: `disk-${index}` })),
      );
      const read = readWithoutOvault(store.objects, secret);
      expect(read.map(({ vm }) => vm)).toEqual(disks.map(() => point.vm.name));
      for (const [index, { bytes }] of disks.entries()) expect(read[index]?.bytes.equals(bytes)).toBe(true);
    }),
    { numRuns: 40 },
  );
});
