import { didYouMean, NotFoundError, UsageError } from "@ovault/contract";
import type { DataCenter, EngineApi } from "@ovault/ovirt";
import { stagingPlaces, type StagingOptions, type StagingPlace } from "@ovault/strategy-export-domain";

/** A folder of this node, and the data center whose hosts mount it as their export domain. */
export interface ExportSite {
  readonly dataCenter: DataCenter;
  readonly place: StagingPlace;
}

/**
 * The sites of ovault.yaml, or those of some data centers.
 * @param names of data centers; empty: all
 * @throws NotFoundError for a data center that the engine, or ovault.yaml, does not have; UsageError when the only
 *   folder could be for several
 */
export async function exportSites(
  api: EngineApi,
  options: StagingOptions,
  names: readonly string[],
  signal: AbortSignal,
): Promise<readonly ExportSite[]> {
  const known = await api.infrastructure.dataCenters(signal);
  const centerOf = (name: string): DataCenter => named(name, known, "the engine has no data center");
  const places = stagingPlaces(options);
  const [only] = places;
  if (only?.dataCenter === undefined) {
    return only === undefined ? [] : [{ place: only, dataCenter: theOne(names.map(centerOf), known) }];
  }
  const all = places.flatMap((place) => (place.dataCenter === undefined ? [] : [{ place, name: place.dataCenter }]));
  const wanted =
    names.length === 0 ? all : names.map((name) => named(name, all, "ovault.yaml has no folder for data center"));
  return wanted.map(({ place, name }) => ({ place, dataCenter: centerOf(name) }));
}

/** @throws UsageError unless it is clear which */
function theOne(wanted: readonly DataCenter[], known: readonly DataCenter[]): DataCenter {
  const [center, ...more] = wanted.length === 0 ? known : wanted;
  if (center !== undefined && more.length === 0) return center;
  const several = [center, ...more].flatMap((one) => (one === undefined ? [] : [one.name]));
  throw new UsageError(
    several.length === 0
      ? "the engine shows no data center to this user"
      : `ovault.yaml has one folder, which serves one data center: not ${several.join(", ")}`,
    {
      hint: (field) => `Name one with ${field("dataCenter")}, or give each a folder of its own under \`dataCenters:\`.`,
    },
  );
}

function named<T extends { readonly name: string }>(name: string, all: readonly T[], none: string): T {
  const found = all.find((one) => one.name === name);
  if (found !== undefined) return found;
  const names = all.map((one) => one.name);
  throw new NotFoundError(`${none} "${name}"${didYouMean(name, names)}`, {
    context: { dataCenter: name },
    hint: names.length === 0 ? "There is none at all." : `There are: ${names.join(", ")}.`,
  });
}
