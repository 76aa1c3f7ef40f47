import { stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { isAbsolute, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

import { z } from "zod";

import { assertOursAlone } from "../config/assert-ours-alone.ts";
import { type Plugin, type PluginKind, ConfigurationError, PluginError } from "@ovault/contract";

const KINDS: readonly PluginKind[] = ["destination", "image-destination", "manager", "strategy", "codec", "hooks"];

const standard = z.looseObject({
  version: z.literal(1),
  validate: z.custom((value) => typeof value === "function"),
});

const pluginShape = z.looseObject({
  kind: z.enum(KINDS),
  name: z.string().min(1),
  apiVersion: z.int(),
  options: z.custom<Plugin["options"]>(isStandardSchema, "expected a schema that implements Standard Schema 1"),
  create: z.custom<Plugin["create"]>((value) => typeof value === "function", "expected a function"),
});

/**
 * Imports the plugin named in `plugins:` of ovault.yaml: a path that starts with `.` or `/`, or the name of a package
 * installed at or above `baseDirectory`. Never scans folders.
 * @throws PluginError when it cannot be found or imported, or its default export is not a plugin; ConfigurationError
 *   when it is a path to a file that others may change.
 */
export async function loadPlugin(specifier: string, baseDirectory: string): Promise<Plugin> {
  const exported = await importDefault(specifier, baseDirectory);
  if (isPlugin(exported)) return exported;
  throw new PluginError(`the default export of ${specifier} is not a plugin`, {
    context: { specifier },
    hint: "A plugin package ends in `export default definePlugin({ … })`.",
  });
}

async function importDefault(specifier: string, baseDirectory: string): Promise<unknown> {
  let url: URL;
  try {
    url = pathToFileURL(locate(specifier, baseDirectory));
  } catch (error) {
    throw new PluginError(`the plugin ${specifier} was not found from ${baseDirectory}`, {
      cause: error,
      context: { specifier, baseDirectory },
      hint: `Install it there (npm install ${specifier}), or correct \`plugins:\` in ovault.yaml.`,
    });
  }
  try {
    if (isPath(specifier)) await assertOursAlone(fileURLToPath(url), "the plugin", await stat(url));
    const module: { readonly default?: unknown } = await import(url.href);
    return module.default;
  } catch (error) {
    if (error instanceof ConfigurationError) throw error;
    throw new PluginError(`the plugin ${specifier} could not be loaded: ${String(error)}`, {
      cause: error,
      context: { specifier, file: url.pathname },
    });
  }
}

function locate(specifier: string, baseDirectory: string): string {
  if (isPath(specifier)) return resolve(baseDirectory, specifier);
  return createRequire(join(baseDirectory, "ovault.yaml")).resolve(specifier);
}

function isPath(specifier: string): boolean {
  return specifier.startsWith(".") || isAbsolute(specifier);
}

function isPlugin(value: unknown): value is Plugin {
  return pluginShape.safeParse(value).success;
}

/** A schema may also be a function, as some libraries make it. */
function isStandardSchema(value: unknown): boolean {
  const isThing = (typeof value === "object" && value !== null) || typeof value === "function";
  return isThing && "~standard" in value && standard.safeParse(value["~standard"]).success;
}
