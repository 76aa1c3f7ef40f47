import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as v from "valibot";
import { z } from "zod";

import { ConfigurationError, definePlugin, type Plugin, PluginError } from "@ovault/contract";
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

  const greeting = v.pipeAsync(
    v.string(),
    v.checkAsync(async (text) => text.length < 10, "is too long"),
  );
  const byHand: Plugin<"hooks", { readonly greeting: string }>["options"] = {
    "~standard": {
      version: 1,
      vendor: "hand",
      validate: (value) => {
        const { greeting: text, ...others } = Object(value);
        const unknown = Object.keys(others).map((key) => ({ message: "what is this?", path: [{ key }] }));
        if (unknown.length > 0) return { issues: unknown };
        if (typeof text !== "string") return { issues: [{ message: "must be text", path: ["greeting"] }] };
        return { value: { greeting: text } };
      },
    },
  };

  test.each([
    ["by hand", byHand, /^ovault\.yaml is not valid:\n {2}line 7: hooks\.greeter\.greting: what is this\?$/],
    ["of valibot", v.strictObject({ greeting: v.string() }), /line 7: hooks\.greeter\.greting: /],
    ["of valibot, asynchronous", v.strictObjectAsync({ greeting }), /line 7: hooks\.greeter\.greting: /],
    [
      "of zod, asynchronous",
      z.strictObject({ greeting: z.string().refine(async () => true) }),
      /did you mean "greeting"/,
    ],
  ] as const)("takes a Standard Schema %s", async (_, schema, problem) => {
    const heard: string[] = [];
    const registry = new PluginRegistry();
    const plugin = definePlugin<"hooks", { readonly greeting: string }>({
      kind: "hooks",
      name: "greeter",
      apiVersion: 1,
      options: schema,
      create: async (options) => {
        heard.push(options.greeting);
        return () => undefined;
      },
    });
    registry.register(plugin);
    const lines = { ...origin, lineOf: () => 7 };
    const create = (options: object) => registry.create("hooks", "greeter", { options, origin: lines }, host);
    await create({ greeting: "hello" });
    expect(heard).toEqual(["hello"]);
    await expect(create({ greeting: "hello", greting: "x" })).rejects.toThrow(problem);
    await expect(create({ greeting: 1 })).rejects.toThrow(ConfigurationError);
    await expect(create({ greeting: 1 })).rejects.toThrow(/hooks\.greeter\.greeting: /);
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
    const images = `import { z } from ${JSON.stringify(zod)};
      import { MemoryImageStore } from ${JSON.stringify(import.meta.resolve("@ovault/testkit"))};
      export default { kind: "image-destination", name: "images", apiVersion: 1, options: z.strictObject({}),
        create: async () => new MemoryImageStore() };`;
    await writeFile(join(directory, "images.mjs"), images);
    await writeFile(join(directory, "not-a-plugin.mjs"), "export default { kind: 'hooks' };");
    const byHand = `const validate = (value) => ({ value });
      const options = Object.assign(() => undefined, { "~standard": { version: VERSION, vendor: "hand", validate } });
      export default { kind: "hooks", name: "by-hand", apiVersion: 1, options, create: async () => () => {} };`;
    await writeFile(join(directory, "by-hand.mjs"), byHand.replace("VERSION", "1"));
    await writeFile(join(directory, "another-standard.mjs"), byHand.replace("VERSION", "2"));
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

  test("takes a schema of no library, which may be a function", async () => {
    expect(await loadPlugin("./by-hand.mjs", directory)).toMatchObject({ kind: "hooks", name: "by-hand" });
  });

  test("a destination of whole disk images comes from a plugin, too", async () => {
    const plugin = await loadPlugin("./images.mjs", directory);
    const registry = new PluginRegistry();
    registry.register(plugin);
    const store = await registry.create("image-destination", "images", { options: {}, origin }, host);
    const { signal } = host;
    const draft = await store.create("vm-1/disk-1", { logicalBytes: 4096, signal });
    await draft.write(512, new Uint8Array([1, 2, 3]), signal);
    await draft.commit(signal);
    const image = await store.open("vm-1/disk-1", { signal });
    const read = new Uint8Array(4);
    await image.readInto(511, read, signal);
    expect([image.logicalBytes, ...read]).toEqual([4096, 0, 1, 2, 3]);
    await image.close();
    await store.close();
    expect(() => registry.get("destination", "images")).toThrow(PluginError);
  });

  test.each([
    ["./another-standard.mjs", /is not a plugin/],
    ["ovault-hooks-missing", /was not found from/],
    ["./missing.mjs", /could not be loaded/],
    ["./broken.mjs", /broken on purpose/],
    ["./not-a-plugin.mjs", /is not a plugin/],
  ])("of %s is a plugin error", async (specifier, message) => {
    await expect(loadPlugin(specifier, directory)).rejects.toThrow(message);
    await expect(loadPlugin(specifier, directory)).rejects.toBeInstanceOf(PluginError);
  });
});
