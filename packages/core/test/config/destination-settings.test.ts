import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";

import { type Codec, ConfigurationError, definePlugin } from "@ovault/contract";
import {
  chooseCodec,
  chooseEntry,
  DESTINATION_SETTINGS,
  type DestinationEntry,
  loadConfiguration,
  PluginRegistry,
} from "@ovault/core";
import { lz4 } from "../../src/blocks/codecs/lz4.ts";
import { MemoryStore } from "@ovault/testkit";

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "ovault-config-"));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

async function load(...lines: string[]): Promise<DestinationEntry> {
  const file = join(directory, "ovault.yaml");
  const text = ["destinations:", "  nas:", "    type: memory", ...lines.map((line) => `    ${line}`)].join("\n");
  await writeFile(file, text);
  return chooseEntry(await loadConfiguration(file), "destination", "nas");
}

const create = () => Promise.resolve(new MemoryStore());

describe("the settings that every destination may have", () => {
  test("are kept apart from the plugin's own options", async () => {
    const { settings, options } = await load(
      "directory: /backup",
      "encryption: { passphrase: { env: OVAULT_PASSPHRASE } }",
      "compression: { codec: zstd, level: 7 }",
      "limits: { concurrency: 4, upload: 50 MiB, download: 123456 }",
      "patience: 15m",
      "lockDays: 30",
      "readOnly: true",
      "retention: { keepLast: 3, keepDaily: 7, keepWeekly: 4, keepMonthly: 12, keepYearly: 10 }",
    );
    expect(options).toEqual({ directory: "/backup" });
    expect(settings).toEqual({
      encryption: { passphrase: { env: "OVAULT_PASSPHRASE" } },
      compression: { codec: "zstd", level: 7 },
      limits: { concurrency: 4, upload: 50 * 1024 * 1024, download: 123_456 },
      patience: 900_000,
      lockDays: 30,
      readOnly: true,
      retention: { keepLast: 3, keepDaily: 7, keepWeekly: 4, keepMonthly: 12, keepYearly: 10 },
    });
    expect(Object.keys(settings).toSorted()).toEqual(DESTINATION_SETTINGS.toSorted());
  });

  test("can all be left out", async () => {
    const { settings } = await load("directory: /backup");
    expect(Object.values(settings).every((value) => value === undefined)).toBe(true);
  });

  test("a key file lies beside the configuration unless its path says otherwise", async () => {
    expect((await load("encryption: { keyFile: keys/nas }")).settings.encryption).toEqual({
      keyFile: join(directory, "keys/nas"),
    });
    expect((await load("encryption: { keyFile: /etc/nas.key }")).settings.encryption).toEqual({
      keyFile: "/etc/nas.key",
    });
  });

  test("rates are whole bytes of any unit", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 4000 }), fc.constantFrom("KiB", "M", "gb"), async (amount, unit) => {
        const { settings } = await load(`limits: { upload: ${amount} ${unit} }`);
        expect(settings.limits?.upload).toBe(amount * 1024 ** (1 + ["KiB", "M", "gb"].indexOf(unit)));
      }),
      { numRuns: 10 },
    );
  });

  test("patience is a number with its unit, or none", async () => {
    const [minutes, hours, none] = await Promise.all(
      ["1.5m", "24h", "0"].map(async (written, index) => {
        const file = join(directory, `patience-${index}.yaml`);
        await writeFile(file, `destinations: { nas: { type: memory, patience: ${written} } }`);
        return chooseEntry(await loadConfiguration(file), "destination", "nas").settings.patience;
      }),
    );
    expect([minutes, hours, none]).toEqual([90_000, 86_400_000, 0]);
  });

  test.each([
    [
      "encryption: { passphrase: secret }",
      /line 4: destinations\.nas\.encryption\.passphrase: .* only a reference to it/,
    ],
    ["encryption: secret", /line 4: destinations\.nas\.encryption: either { passphrase/],
    ["encryption: {}", /line 4: destinations\.nas\.encryption: either { passphrase/],
    ["encryption: { passphrase: { env: A }, keyFile: b }", /destinations\.nas\.encryption: either { passphrase/],
    ["encryption: { pasphrase: { env: A } }", /encryption\.pasphrase: unknown key, did you mean "passphrase"\?/],
    ["compression: 7", /destinations\.nas\.compression: none, lz4, zstd/],
    ["compression: { codec: lz4, level: 3 }", /compression\.level: only zstd has levels/],
    ["compression: { codec: zstd, level: 20 }", /compression\.level: the highest level is 19/],
    ["compression: { codec: zstd, level: 0 }", /compression\.level: a level is 1 to 19, or below 0/],
    ["compression: { codec: zstd, levl: 1 }", /compression\.levl: unknown key, did you mean "level"\?/],
    ["limits: { concurrency: 0 }", /limits\.concurrency: must be at least 1/],
    ["limits: { upload: 50 }", /limits\.upload: bytes per second, at least 1 KiB/],
    ["limits: { upload: fast }", /limits\.upload: bytes per second, at least 1 KiB/],
    ["limits: { upload: [1] }", /limits\.upload: bytes per second, at least 1 KiB/],
    ["limits: { uplaod: 50 MiB }", /limits\.uplaod: unknown key, did you mean "upload"\?/],
    ["patience: 600", /destinations\.nas\.patience: a number with s, m or h/],
    ["patience: ten minutes", /destinations\.nas\.patience: a number with s, m or h/],
    ["patience: 25h", /destinations\.nas\.patience: .*up to 24h/],
    ["lockDays: 0.5", /destinations\.nas\.lockDays: .*int/],
    ["readOnly: maybe", /destinations\.nas\.readOnly: .*boolean/],
    ["retention: {}", /destinations\.nas\.retention: needs at least one rule/],
    ["retention: { keepLast: 0 }", /retention\.keepLast: must be at least 1/],
    ["retention: { keepHourly: 3 }", /retention\.keepHourly: unknown key/],
  ])("%s is refused with its place", async (line, message) => {
    await expect(load(line)).rejects.toThrow(message);
    await expect(load(line)).rejects.toBeInstanceOf(ConfigurationError);
  });

  test("a secret that is written out is never echoed", async () => {
    await expect(load("encryption: { passphrase: opensesame }")).rejects.not.toThrow(/opensesame/);
  });

  test("are proposed when a key is misspelt that the plugin does not know either", async () => {
    const registry = new PluginRegistry();
    const options = z.strictObject({ directory: z.string().optional() });
    registry.register(definePlugin({ kind: "destination", name: "memory", apiVersion: 1, options, create }));
    const host = { baseDirectory: directory, secret: () => Promise.resolve(""), signal: new AbortController().signal };
    const entry = { ...(await load("compresion: zstd")), keysBeside: DESTINATION_SETTINGS };
    await expect(registry.create("destination", "memory", entry, host)).rejects.toThrow(
      /line 4: destinations\.nas\.compresion: unknown key, did you mean "compression"\?/,
    );
  });
});

describe("choosing a codec", () => {
  const rle: Codec = { ...lz4, id: 200, name: "rle" };

  test.each([
    ["none", 0],
    ["lz4", 1],
    ["zstd", 2],
    ["{ codec: zstd, level: -5 }", 2],
    ["rle", 200],
  ])("%s is codec %i", async (compression, id) => {
    expect(chooseCodec(await load(`compression: ${compression}`), [rle])?.id).toBe(id);
  });

  test("is left to the repository where nothing is set", async () => {
    expect(chooseCodec(await load(), [])).toBeUndefined();
  });

  test("refuses an unknown name with its place", async () => {
    const entry = await load("directory: /backup", "compression: zst");
    expect(() => chooseCodec(entry, [rle])).toThrow(
      /line 5: destinations\.nas\.compression: there is no codec "zst", did you mean "zstd"\?/,
    );
    expect(() => chooseCodec(entry, [rle])).toThrow(ConfigurationError);
  });

  test("compresses as hard as the level says", async () => {
    const text = Buffer.from(Array.from({ length: 20_000 }, (_, at) => `${(at * at) % 997} `).join(""));
    const sizeAt = async (level: number): Promise<number> =>
      (await chooseCodec(await load(`compression: { codec: zstd, level: ${level} }`), [])?.encode(text))?.byteLength ??
      0;
    expect(await sizeAt(19)).toBeLessThan(await sizeAt(-20));
  });
});
