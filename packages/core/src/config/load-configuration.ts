import { dirname, resolve } from "node:path";

import type { z } from "zod";

import { ConfigurationError, didYouMean, readSettingsFile, type Wording } from "@ovault/contract";
import { assertOursAlone } from "./assert-ours-alone.ts";
import { assertPoliciesRefer } from "./assert-policies-refer.ts";
import type { Configuration, DestinationEntry, ManagerEntry, PluginEntry } from "./configuration.ts";
import type { EncryptionSettings } from "./destination-settings.ts";
import { originBelow, parseYaml, type Origin } from "./origin.ts";
import { configurationSchema } from "./schema.ts";
import { validate } from "./validate.ts";

const WHAT = "the configuration";
/** A thousand policies fit. */
const MOST_BYTES = 1024 * 1024;
const MAKE_ONE: Wording = (field) => `Make one with \`ovault init\`, or name yours with ${field("configFile")}.`;

/**
 * Reads and checks ovault.yaml. Contacts nothing and reads no secret.
 * @throws ConfigurationError when the file is missing, does not parse, holds an unknown key, or others may change it
 */
export async function loadConfiguration(path: string): Promise<Configuration> {
  const file = resolve(path);
  return parseConfiguration(await readText(file), file);
}

/**
 * Checks the content of an ovault.yaml, written or to be written.
 * @param file its absolute path
 * @throws ConfigurationError
 */
export function parseConfiguration(text: string, file: string): Configuration {
  const { value, origin } = parseYaml(text, file);
  const parsed = validate(configurationSchema, value, origin);
  const baseDirectory = dirname(file);
  const managers = managerEntries(parsed.managers, originBelow(origin, "managers"));
  const destinations = destinationEntries(parsed.destinations, originBelow(origin, "destinations"), baseDirectory);
  assertPoliciesRefer(parsed.policies, { manager: managers.keys(), destination: destinations.keys() }, origin);
  return {
    file,
    origin,
    baseDirectory,
    managers,
    destinations,
    defaults: {
      manager: defaultEntry("manager", parsed.defaults.manager, managers, file),
      destination: defaultEntry("destination", parsed.defaults.destination, destinations, file),
    },
    policies: new Map(Object.entries(parsed.policies).map(([name, policy]) => [name, { name, ...policy }])),
    plugins: parsed.plugins,
    strategies: optionSets("strategies", parsed.strategies, origin),
    hooks: optionSets("hooks", parsed.hooks, origin),
    stateDirectory: resolve(baseDirectory, parsed.state),
  };
}

async function readText(file: string): Promise<string> {
  const { text, stats } = await readSettingsFile(file, { what: WHAT, mostBytes: MOST_BYTES, hint: MAKE_ONE });
  await assertOursAlone(file, WHAT, stats);
  return text;
}

type Parsed = z.output<typeof configurationSchema>;

function managerEntries(parsed: Parsed["managers"], origin: Origin): ReadonlyMap<string, ManagerEntry> {
  return new Map(
    Object.entries(parsed).map(([name, { type, formerNames, ...options }]) => [
      name,
      { name, type, formerNames, options, origin: originBelow(origin, name) },
    ]),
  );
}

function destinationEntries(
  parsed: Parsed["destinations"],
  origin: Origin,
  baseDirectory: string,
): ReadonlyMap<string, DestinationEntry> {
  return new Map(
    Object.entries(parsed).map(([name, entry]) => {
      const {
        type,
        encryption: written,
        compression,
        limits,
        patience,
        lockDays,
        readOnly,
        retention,
        ...options
      } = entry;
      const encryption = written && withAbsolutePath(written, baseDirectory);
      const settings = { encryption, compression, limits, patience, lockDays, readOnly, retention };
      return [name, { name, type, settings, options, origin: originBelow(origin, name) }];
    }),
  );
}

function withAbsolutePath(encryption: EncryptionSettings, baseDirectory: string): EncryptionSettings {
  return "keyFile" in encryption ? { keyFile: resolve(baseDirectory, encryption.keyFile) } : encryption;
}

/** For sections in which the name of an entry is that of its plugin. */
function optionSets(
  section: string,
  parsed: Readonly<Record<string, Readonly<Record<string, unknown>>>>,
  origin: Origin,
): ReadonlyMap<string, PluginEntry> {
  return new Map(
    Object.entries(parsed).map(([name, options]) => [
      name,
      { name, type: name, options, origin: originBelow(origin, section, name) },
    ]),
  );
}

function defaultEntry(
  what: "manager" | "destination",
  name: string | undefined,
  known: ReadonlyMap<string, PluginEntry>,
  file: string,
): string | undefined {
  if (name === undefined) return known.size === 1 ? [...known.keys()][0] : undefined;
  if (known.has(name)) return name;
  throw new ConfigurationError(
    `${file}: defaults.${what}: there is no ${what} "${name}"${didYouMean(name, known.keys())}`,
    { context: { file, [what]: name } },
  );
}
