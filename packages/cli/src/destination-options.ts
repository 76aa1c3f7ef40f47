import { resolve } from "node:path";

import { UsageError } from "@ovault/contract";
import { parse, YAMLParseError } from "yaml";

import type { Questions } from "./questions.ts";

/** The options of `init` that define the destination. */
export interface DestinationOptions {
  readonly destination?: string;
  readonly destinationType?: string;
  readonly destinationOption?: readonly string[];
}

/** An entry of `destinations:` in ovault.yaml, as the plugin reads it. */
export interface WrittenDestination {
  readonly type: string;
  readonly [option: string]: unknown;
}

const FILESYSTEM = "filesystem";

/** The destination from the options; asks for a directory if they name none. The plugin checks the options later. */
export async function destinationFrom(
  { destination, destinationType: type = FILESYSTEM, destinationOption = [] }: DestinationOptions,
  questions: Questions,
): Promise<WrittenDestination> {
  const options = Object.fromEntries(destinationOption.map(parseOption));
  if (type !== FILESYSTEM && destination !== undefined) {
    throw new UsageError("--destination is a directory, which only a destination of type filesystem has", {
      hint: "Give --destination-option KEY=VALUE for each option of the destination.",
    });
  }
  if (type !== FILESYSTEM || "directory" in options) return { type, ...options };
  const directory = destination ?? (await questions.ask("Directory for the backups", { option: "--destination" }));
  return { type, directory: resolve(directory), ...options };
}

/** `KEY=VALUE`, with a value as it would stand in ovault.yaml. */
function parseOption(written: string): readonly [key: string, value: unknown] {
  const [, key, value] = /^([A-Za-z][A-Za-z0-9]*)=(.*)$/s.exec(written) ?? [];
  // Not repeated in the error: it may be a secret.
  if (key === undefined || value === undefined) {
    throw new UsageError("--destination-option must be KEY=VALUE", { hint: "For example: bucket=backups" });
  }
  try {
    return [key, parse(value) as unknown];
  } catch (error) {
    if (!(error instanceof YAMLParseError)) throw error;
    throw new UsageError(`--destination-option ${key}: the value does not parse as YAML`, {
      hint: "Write it as in ovault.yaml, for example: 'credentials={ accessKeyId: { env: NAME }, … }'",
    });
  }
}
