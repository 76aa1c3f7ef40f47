import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";

import { addressTowards } from "@ovault/operations/internal/export-domain/address-towards";
import { folderCommand, makeFolder } from "@ovault/operations/internal/export-domain/make-folder";
import { run } from "@ovault/test-support/commands";
import { temporaryDirectory } from "@ovault/test-support/temporary-directory";
import * as fc from "fast-check";
import { expect, test } from "vitest";

const name = fc
  .string({
    unit: fc.constantFrom("a", "ö", " ", "'", '"', "$", "`", "\\", "*", "-", ";"),
    minLength: 1,
    maxLength: 12,
  })
  .map((text) => `x${text}`);

test("the printed command makes the same folder, whatever its name", async () => {
  await fc.assert(
    fc.asyncProperty(name, async (folder) => {
      const directory = await temporaryDirectory();
      await run("sh", ["-c", folderCommand(join(directory, folder))]);
      expect(await readdir(directory)).toEqual([folder]);
      const printed = await stat(join(directory, folder));
      const other = join(directory, "other");
      expect([await makeFolder(other, undefined), await makeFolder(other, undefined)]).toEqual([true, false]);
      const made = await stat(other);
      expect([printed.uid, printed.gid, printed.mode]).toEqual([made.uid, made.gid, made.mode]);
    }),
    { numRuns: 10 },
  );
});

test("the address of this machine is the one that a host sees", async () => {
  expect(await addressTowards("127.0.0.1")).toBe("127.0.0.1");
  await expect(addressTowards("no-such-host.invalid")).rejects.toMatchObject({
    code: "E_EXPORT_DOMAIN",
    hint: expect.stringContaining("address"),
  });
});
