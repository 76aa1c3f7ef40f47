import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, expect, test } from "vitest";

import { loadConfiguration } from "@ovault/core";

let file: string;
let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "ovault-absurd-"));
  file = join(directory, "ovault.yaml");
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const many = (count: number, line: (index: number) => string): string =>
  Array.from({ length: count }, (_, index) => line(index)).join("\n");

test.each([
  ["of two megabytes", "#".repeat(2 * 1024 * 1024), /has more than 1048576 bytes/],
  [
    "with aliases of aliases",
    `a0: &a0 [x, x, x, x, x, x, x, x]\n${many(20, (n) => `a${n + 1}: &a${n + 1} [${`*a${n}, `.repeat(8)}]`)}`,
    /repeats too much by aliases/,
  ],
  ["of nothing but brackets", "[".repeat(100_000), /nested too deeply/],
  [
    "with tens of thousands of keys",
    many(40_000, (n) => `key${n}: ${n}`),
    /line 100: key99: unknown key[^]*\n {2}and 39900 more$/,
  ],
  ["in UTF-16", Buffer.from("\uFEFFstate: here\n", "utf16le"), /NUL bytes, as UTF-16 does/],
])("a configuration %s ends soon, with the reason", { timeout: 60_000 }, async (_, content, reason) => {
  await writeFile(file, content, { mode: 0o600 });
  await expect(loadConfiguration(file)).rejects.toMatchObject({
    code: "E_CONFIGURATION",
    message: expect.stringMatching(reason),
  });
});

test("a configuration without an end is not read to it", async () => {
  await expect(loadConfiguration("/dev/zero")).rejects.toThrow(/has more than 1048576 bytes/);
});

test("a byte order mark is no part of the configuration", async () => {
  await writeFile(file, "\uFEFFstate: here\r\n", { mode: 0o600 });
  expect((await loadConfiguration(file)).stateDirectory).toBe(join(directory, "here"));
});
