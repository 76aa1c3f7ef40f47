import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { ConfigurationError, NotFoundError, UsageError } from "@ovault/contract";
import { chooseEntry, loadConfiguration } from "@ovault/core";

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "ovault-config-"));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

async function load(...lines: string[]) {
  const file = join(directory, "ovault.yaml");
  await writeFile(file, lines.join("\n"));
  return await loadConfiguration(file);
}

describe("loading ovault.yaml", () => {
  test("entries keep their plugin's options untouched", async () => {
    const configuration = await load(
      "managers:",
      "  prod: { type: ovirt, url: https://engine/ovirt-engine, password: { env: PW } }",
      "destinations:",
      "  nas: { type: filesystem, directory: /backup }",
    );
    expect(configuration.managers.get("prod")).toMatchObject({
      name: "prod",
      type: "ovirt",
      options: { url: "https://engine/ovirt-engine", password: { env: "PW" } },
    });
    expect(configuration.destinations.get("nas")?.options).toEqual({ directory: "/backup" });
  });

  test("a manager may have former names, which no other has or had", async () => {
    const renamed = await load("managers:", "  berlin: { type: ovirt, formerNames: [engine1, engine2], url: x }");
    expect(renamed.managers.get("berlin")).toMatchObject({
      formerNames: ["engine1", "engine2"],
      options: { url: "x" },
    });
    expect(renamed.managers.get("berlin")?.options).not.toHaveProperty("formerNames");
    await expect(
      load(
        "managers:",
        "  berlin: { type: ovirt, formerNames: [berlin, engine1] }",
        "  bonn:",
        "    type: ovirt",
        "    formerNames: [engine1, berlin]",
      ),
    ).rejects.toThrow(
      new RegExp(
        [
          "line 2: managers.berlin.formerNames.0: manager berlin has this name",
          "line 5: managers.bonn.formerNames.0: it is a former name of berlin already",
          "line 5: managers.bonn.formerNames.1: manager berlin has this name",
        ].join("\\s+"),
      ),
    );
  });

  test("state lies beside the file unless it says otherwise", async () => {
    expect((await load("")).stateDirectory).toBe(join(directory, "ovault-state"));
    expect((await load("state: ../elsewhere")).stateDirectory).toBe(join(directory, "../elsewhere"));
  });

  test("strategies and hooks have their options under their own name", async () => {
    const configuration = await load("strategies: { changed-block-tracking: { connectionsPerHost: 4 } }");
    expect(configuration.strategies.get("changed-block-tracking")).toMatchObject({
      type: "changed-block-tracking",
      options: { connectionsPerHost: 4 },
    });
    expect(configuration.hooks.size).toBe(0);
  });

  test("an only entry is the default, several need one to be named", async () => {
    const one = await load("destinations: { nas: { type: filesystem } }");
    expect(chooseEntry(one, "destination", undefined).name).toBe("nas");
    const two = await load("destinations: { nas: { type: filesystem }, tape: { type: filesystem } }");
    expect(() => chooseEntry(two, "destination", undefined)).toThrow(UsageError);
    const chosen = await load(
      "destinations: { nas: { type: filesystem }, tape: { type: filesystem } }",
      "defaults: { destination: tape }",
    );
    expect(chooseEntry(chosen, "destination", undefined).name).toBe("tape");
  });

  test("an unknown name is answered with the nearest known one", async () => {
    const configuration = await load("managers: { production: { type: ovirt }, lab: { type: ovirt } }");
    expect(() => chooseEntry(configuration, "manager", "prodution")).toThrow(NotFoundError);
    expect(() => chooseEntry(configuration, "manager", "prodution")).toThrow(/did you mean "production"\?/);
    await expect(load("managers: { prod: { type: ovirt } }", "defaults: { manager: prd }")).rejects.toThrow(
      /defaults\.manager: there is no manager "prd", did you mean "prod"\?/,
    );
  });

  test.each([
    ["an unknown key at the top", ["managres: {}"], /line 1: managres: unknown key, did you mean "managers"\?/],
    [
      "an unknown key deep inside",
      ["defaults:", "  manger: a"],
      /line 2: defaults\.manger: unknown key, did you mean "manager"\?/,
    ],
    ["a key like no other", ["zzzzzz: 1"], /zzzzzz: unknown key; known: managers, destinations/],
    ["an entry without a type", ["managers:", "  prod:", "    url: x"], /line 3: managers\.prod\.type: is missing/],
    ["a wrong type", ["plugins: ./mine.js"], /line 1: plugins: .*expected array/],
    ["a bad name", ["managers:", "  'a b': { type: ovirt }"], /managers\.a b: a name is made of letters/],
    ["broken YAML", ["managers:", "  prod: [1, 2"], /ovault\.yaml:\d+:\d+: /],
    ["a key twice", ["state: a", "state: b"], /ovault\.yaml:2:1: .*unique/],
  ])("%s is refused with its place", async (_, lines, message) => {
    await expect(load(...lines)).rejects.toThrow(message);
    await expect(load(...lines)).rejects.toBeInstanceOf(ConfigurationError);
  });

  test("a missing file says how to make one", async () => {
    await expect(loadConfiguration(join(directory, "none.yaml"))).rejects.toMatchObject({
      code: "E_CONFIGURATION",
      hint: "Make one with `ovault init`, or name yours with `configFile`.",
    });
  });
});
