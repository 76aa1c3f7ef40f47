import { mkdir, mkdtemp, readFile, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { afterAll, beforeAll, expect, test } from "vitest";

import { runOvault } from "@ovault/test-support/ovault/run-ovault";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const example = join(root, "examples", "ovault-destination-sqlite");

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "ovault-printed-"));
});
afterAll(() => rm(directory, { recursive: true }));

/** Code blocks of a page, in order. */
async function blocksOf(page: string, language: string): Promise<readonly string[]> {
  const text = await readFile(join(root, "docs", page), "utf8");
  return [...text.matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, "g"))].map(([, block = ""]) => block);
}

test("the manager that docs/writing-a-manager.md prints shows its machines", async () => {
  const [manager = ""] = await blocksOf("writing-a-manager.md", "js");
  const [configuration = ""] = await blocksOf("writing-a-manager.md", "yaml");
  await writeFile(join(directory, "manager.mjs"), manager);
  const rest =
    "policies: { all: { vms: { include: ['*'] } } }\ndestinations: { here: { type: filesystem, directory: b } }\n";
  await writeFile(join(directory, "ovault.yaml"), `${configuration}${rest}`, { mode: 0o600 });
  for (const name of ["@ovault/contract", "zod"]) {
    await mkdir(dirname(join(directory, "node_modules", name)), { recursive: true });
    const installed = name === "zod" ? join(root, "packages/core/node_modules/zod") : join(root, "packages/contract");
    await symlink(installed, join(directory, "node_modules", name));
  }
  await mkdir(join(directory, "images"));
  await truncate(await touched(join(directory, "images", "web01.raw")), 1024);
  const { stdout } = await runOvault(["policies", "--json"], { cwd: directory });
  expect(JSON.parse(stdout)).toMatchObject([
    { manager: "shelf", machines: [{ id: "web01", name: "web01", status: "down" }] },
  ]);
});

async function touched(file: string): Promise<string> {
  await writeFile(file, "");
  return file;
}

test("the settings that docs/writing-a-destination.md prints are those of the example, which is compiled and run", async () => {
  const [tsconfig = "", manifest = ""] = await blocksOf("writing-a-destination.md", "json");
  expect(JSON.parse(tsconfig)).toEqual(JSON.parse(await readFile(join(example, "tsconfig.json"), "utf8")));
  expect(JSON.parse(await readFile(join(example, "package.json"), "utf8"))).toMatchObject(JSON.parse(manifest));
});
