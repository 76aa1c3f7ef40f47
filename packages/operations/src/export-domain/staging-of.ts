import { UsageError } from "@ovault/contract";
import { validateOptions, type Configuration } from "@ovault/core";
import { optionsSchema, resolveStaging, stagingPlaces, type ExportDomainOptions } from "@ovault/strategy-export-domain";

const STRATEGY = "export-domain";

/**
 * The options of the strategy `export-domain`, with absolute folders.
 * @throws ConfigurationError; UsageError when ovault.yaml has none
 */
export async function stagingOf({
  strategies,
  baseDirectory,
  stateDirectory,
  file,
}: Configuration): Promise<ExportDomainOptions> {
  const entry = strategies.get(STRATEGY);
  if (entry !== undefined) {
    const written = await validateOptions(optionsSchema, entry.options, entry.origin);
    const options = resolveStaging(written, baseDirectory, stateDirectory);
    if (stagingPlaces(options).length > 0) return options;
  }
  throw new UsageError(`${file} names no folder for an export domain`, {
    context: { file },
    hint: "Add `strategies: { export-domain: { staging: /srv/ovault/staging } }`; see docs/export-domain.md.",
  });
}
