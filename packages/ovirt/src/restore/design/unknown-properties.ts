import type { EngineApi } from "../../api/engine-api.ts";
import type { XmlElement } from "../../engine/xml-element.ts";
import type { Cluster } from "../../model/cluster.ts";
import { unlessRefused } from "../../engine/refusal-of.ts";

/** Engines define some properties of machines, administrators others. */
const OPTIONS = ["PredefinedVMProperties", "UserDefinedVMProperties"];

/**
 * Warnings, for people, about custom properties of a machine that this engine does not define: it refuses a machine
 * with them, or drops them. Empty where the engine does not report its definitions.
 *
 * @param settings of the point: a `<vm>`
 */
export async function unknownProperties(
  api: EngineApi,
  settings: XmlElement | undefined,
  { version }: Cluster,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const own = settings === undefined ? [] : propertiesIn(settings);
  if (own.length === 0 || version === undefined) return [];
  const level = `${version.major}.${version.minor}`;
  const answers = await Promise.all(
    OPTIONS.map((name) => unlessRefused(api.infrastructure.option(name, level, signal))),
  );
  const told = answers.filter((answer) => answer !== undefined);
  if (told.length < OPTIONS.length) return [];
  const known = new Set(told.flatMap(namesIn));
  return own
    .filter((name) => !known.has(name))
    .map(
      (name) =>
        `this engine defines no custom property ${name}: define it there (engine-config), or the machine goes without`,
    );
}

function propertiesIn(settings: XmlElement): readonly string[] {
  const properties = settings.child("custom_properties")?.all("custom_property") ?? [];
  return properties.flatMap((property) => property.value("name") ?? []);
}

/** `sap_agent=^(true|false)$;hugepages=^[0-9]+$` */
function namesIn(definitions: string): readonly string[] {
  return [...definitions.matchAll(/(?:^|;)\s*(\w+)=/g)].flatMap(([, name]) => name ?? []);
}
