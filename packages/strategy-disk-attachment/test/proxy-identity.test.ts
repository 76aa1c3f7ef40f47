import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import * as fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";

import { readProxyIdentity } from "../src/proxy-identity.ts";

let directory: string;
let file: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "ovault-identity-"));
  file = join(directory, "product_uuid");
});
afterAll(() => rm(directory, { recursive: true }));

test("the UUID is taken as it is and as older SMBIOS has its bytes, in lower case", async () => {
  await writeFile(file, "00112233-4455-6677-8899-AABBCCDDEEFF\n");
  expect(await readProxyIdentity(file)).toEqual({
    ids: ["00112233-4455-6677-8899-aabbccddeeff", "33221100-5544-7766-8899-aabbccddeeff"],
  });
});

test("swapped twice it is itself", async () => {
  await fc.assert(
    fc.asyncProperty(fc.uuid(), async (uuid) => {
      await writeFile(file, uuid);
      const first = await readProxyIdentity(file);
      const other = "ids" in first ? (first.ids[1] ?? "") : "";
      await writeFile(file, other.toUpperCase());
      expect(await readProxyIdentity(file)).toEqual({ ids: [other, uuid] });
    }),
    { numRuns: 20 },
  );
});

test("what is missing, or no UUID, is said to be that", async () => {
  expect(await readProxyIdentity(join(directory, "missing"))).toEqual({
    unknown: "this machine's hardware has no UUID",
  });
  await writeFile(file, "Not Settable\n");
  expect(await readProxyIdentity(file)).toEqual({ unknown: "the UUID of this machine's hardware is invalid" });
});

test.skipIf(process.getuid?.() === 0)("what only root may read is said to be that", async () => {
  await writeFile(file, "");
  await chmod(file, 0);
  expect(await readProxyIdentity(file)).toEqual({ unknown: expect.stringContaining("only root may") });
});
