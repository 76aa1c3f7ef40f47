import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";

import { definePlugin, PluginError } from "@ovault/contract";
import { loadPlugin, PluginRegistry } from "@ovault/core";

const host = {
  baseDirectory: "/",
  secret: async () => "",
  signal: new AbortController().signal,
};
const origin = { file: "ovault.yaml", path: ["hooks", "greeter"], lineOf: () => undefined };

function greeter(name = "greeter", apiVersion = 1) {
  return definePlugin({
    kind: "hooks",
    name,
    apiVersion,
    options: z.strictObject({ greeting: z.string() }),
    create: async ({ greeting }) => {
      return (hooks) => hooks.warning.call(greeting);
    },
  });
}

describe("the plugin registry", () => {
  test("creates a product from checked options", async () => {
    const registry = new PluginRegistry();
    registry.register(greeter());
    const tap = await registry.create("hooks", "greeter", { options: { greeting: "hello" }, origin }, host);
    expect(tap).toBeTypeOf("function");
  });

  test("refuses bad options with their path", async () => {
    const registry = new PluginRegistry();
    registry.register(greeter());
    const create = registry.create("hooks", "greeter", { options: { greting: "hello" }, origin }, host);
    await expect(create).rejects.toThrow(/hooks\.greeter\.greting: unknown key, did you mean "greeting"\?/);
  });

  test("refuses a second plugin of one name, but not of another kind", () => {
    const registry = new PluginRegistry();
    registry.register(greeter());
    expect(() => registry.register(greeter())).toThrow(/two hooks plugins named "greeter"/);
  });

  test.each([0, 2])("refuses a plugin made for API version %i", (apiVersion) => {
    expect(() => new PluginRegistry().register(greeter("greeter", apiVersion))).toThrow(PluginError);
  });

  test("answers an unknown name with the nearest known one", () => {
    const registry = new PluginRegistry();
    registry.register(greeter());
    expect(() => registry.get("hooks", "greter")).toThrow(/did you mean "greeter"\?/);
    expect(() => registry.get("destination", "greeter")).toThrow(/there is no destination plugin/);
  });
});

describe("loading a plugin", () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "ovault-plugins-"));
    const zod = import.meta.resolve("zod");
    const plugin = `import { z } from ${JSON.stringify(zod)};
      export default { kind: "hooks", name: "NAME", apiVersion: 1, options: z.strictObject({}), create: async () => () => {} };`;
    await writeFile(join(directory, "local.mjs"), plugin.replace("NAME", "local"));
    await writeFile(join(directory, "not-a-plugin.mjs"), "export default { kind: 'hooks' };");
    await writeFile(join(directory, "broken.mjs"), "throw new Error('broken on purpose');");
    const installed = join(directory, "node_modules", "ovault-hooks-installed");
    await mkdir(installed, { recursive: true });
    await writeFile(join(installed, "package.json"), JSON.stringify({ type: "module", exports: "./index.js" }));
    await writeFile(join(installed, "index.js"), plugin.replace("NAME", "installed"));
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  test("works by path and by the name of an installed package", async () => {
    expect(await loadPlugin("./local.mjs", directory)).toMatchObject({ kind: "hooks", name: "local" });
    expect(await loadPlugin("ovault-hooks-installed", directory)).toMatchObject({ kind: "hooks", name: "installed" });
  });

  test.each([
    ["ovault-hooks-missing", /was not found from/],
    ["./missing.mjs", /could not be loaded/],
    ["./broken.mjs", /broken on purpose/],
    ["./not-a-plugin.mjs", /is not a plugin/],
  ])("of %s is a plugin error", async (specifier, message) => {
    await expect(loadPlugin(specifier, directory)).rejects.toThrow(message);
    await expect(loadPlugin(specifier, directory)).rejects.toBeInstanceOf(PluginError);
  });
});
