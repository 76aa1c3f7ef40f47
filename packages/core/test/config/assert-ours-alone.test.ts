import { chmod, chown, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { loadConfiguration, loadPlugin } from "@ovault/core";

const AS_ROOT = process.getuid?.() === 0;
const OTHER_USER = 12_345;

let directory: string;
let file: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "ovault-guard-"));
  await mkdir(join(directory, "etc"));
  file = join(directory, "etc", "ovault.yaml");
  await writeFile(file, "state: state\n", { mode: 0o600 });
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(directory, { recursive: true, force: true });
});

describe("an ovault.yaml that", () => {
  test.each([0o400, 0o600, 0o640, 0o644, 0o755])("only its owner may write (mode %o) is read", async (mode) => {
    await chmod(file, mode);
    expect(await loadConfiguration(file)).toMatchObject({ file });
  });

  test.each([0o666, 0o660, 0o620, 0o602])(
    "others may write (mode %o) is refused, with what puts it right",
    async (mode) => {
      await chmod(file, mode);
      const hint = expect.stringContaining(`chmod go-w ${file}`);
      await expect(loadConfiguration(file)).rejects.toMatchObject({ code: "E_CONFIGURATION", hint });
    },
  );

  test.each([
    ["its directory", "etc"],
    ["one above", "."],
  ])("others may replace in %s is refused", async (_, name) => {
    const shared = join(directory, name);
    await chmod(shared, 0o777);
    const hint = `Read it, then: chmod go-w ${shared}`;
    await expect(loadConfiguration(join(shared, name === "." ? "etc" : ".", "ovault.yaml"))).rejects.toMatchObject({
      hint,
    });
    await chmod(shared, 0o1777);
    expect(await loadConfiguration(file)).toMatchObject({ file });
  });

  test("a link in a directory of others leads to is refused", async () => {
    const shared = join(directory, "shared");
    await mkdir(shared);
    await chmod(shared, 0o777);
    await symlink(file, join(shared, "ovault.yaml"));
    await expect(loadConfiguration(join(shared, "ovault.yaml"))).rejects.toThrow(/others may replace/);
  });

  test.runIf(AS_ROOT)("belongs to another user is refused, unless sudo was called by that user", async () => {
    await chown(file, OTHER_USER, OTHER_USER);
    await expect(loadConfiguration(file)).rejects.toMatchObject({
      message: expect.stringContaining(`belongs to another user (${OTHER_USER})`),
      hint: expect.stringContaining(`chown 0 ${file}`),
    });
    vi.stubEnv("SUDO_UID", String(OTHER_USER));
    expect(await loadConfiguration(file)).toMatchObject({ file });
    vi.stubEnv("SUDO_UID", "");
    await expect(loadConfiguration(file)).rejects.toThrow(/belongs to another user/);
  });

  test.runIf(AS_ROOT)("lies in a directory of another user is refused", async () => {
    await chown(join(directory, "etc"), OTHER_USER, OTHER_USER);
    await expect(loadConfiguration(file)).rejects.toThrow(/others may replace/);
  });

  test.runIf(AS_ROOT)(
    "lies in a directory that the owner's own group may write is read, and not in one of another group",
    async () => {
      await chmod(join(directory, "etc"), 0o775);
      expect(await loadConfiguration(file)).toMatchObject({ file });
      await chown(join(directory, "etc"), 0, OTHER_USER);
      await expect(loadConfiguration(file)).rejects.toThrow(/others may replace/);
    },
  );
});

test("a plugin that others may write to is refused before it runs", async () => {
  const plugin = join(directory, "plugin.mjs");
  await writeFile(plugin, "globalThis.ranOfOthers = true;", { mode: 0o600 });
  await chmod(plugin, 0o666);
  await expect(loadPlugin("./plugin.mjs", directory)).rejects.toThrow(/others may write to the plugin/);
  expect(globalThis).not.toHaveProperty("ranOfOthers");
});
