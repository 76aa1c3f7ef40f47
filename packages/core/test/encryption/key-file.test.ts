import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, expect, test } from "vitest";

import { createKeyFile, readKeyFile } from "@ovault/core";

let directory: string;
let file: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "ovault-key-"));
  file = join(directory, "backup.key");
});
afterEach(() => rm(directory, { recursive: true, force: true }));

test("a key file holds 32 random bytes, for its owner only", async () => {
  expect(await createKeyFile(file)).toBe(true);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  const secret = await readKeyFile(file);
  expect(secret.kind).toBe("key-file");
  expect(secret.bytes.byteLength).toBe(32);
  expect(Buffer.from(secret.bytes).toString("base64")).toBe((await readFile(file, "utf8")).trim());
  expect(await readdir(directory)).toEqual(["backup.key"]);
});

test("an existing file is never changed, and of several processes that make it one wins", async () => {
  const made = await Promise.all(Array.from({ length: 8 }, () => createKeyFile(file)));
  expect(made.filter(Boolean).length).toBe(1);
  const before = await readFile(file, "utf8");
  expect(await createKeyFile(file)).toBe(false);
  expect(await readFile(file, "utf8")).toBe(before);
  expect(await readdir(directory)).toEqual(["backup.key"]);
});

test.each([0o640, 0o604, 0o644, 0o660, 0o610])("one with mode %o is refused", async (mode) => {
  await createKeyFile(file);
  await chmod(file, mode);
  await expect(readKeyFile(file)).rejects.toMatchObject({ code: "E_CONFIGURATION", hint: `chmod 600 ${file}` });
});

test.each(["", "secret", Buffer.alloc(31).toString("base64"), `${Buffer.alloc(32).toString("base64")}\nmore`])(
  "a file with %j is no key file, and is not repeated",
  async (text) => {
    await writeFile(file, text, { mode: 0o600 });
    await expect(readKeyFile(file)).rejects.toMatchObject({
      code: "E_CONFIGURATION",
      message: `${file} is not a key file`,
    });
  },
);

test("one that is missing, or cannot be made, is named", async () => {
  await expect(readKeyFile(file)).rejects.toMatchObject({ code: "E_CONFIGURATION", context: { file } });
  const nowhere = join(directory, "none", "backup.key");
  await expect(createKeyFile(nowhere)).rejects.toMatchObject({ code: "E_CONFIGURATION", context: { file: nowhere } });
});
