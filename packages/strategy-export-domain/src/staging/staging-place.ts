import { join, resolve } from "node:path";

import type { StagingOptions } from "./staging-options.ts";

/** Where the export domain of a data center lies on this node. */
export interface StagingPlace {
  /** Name; undefined: of whichever data center the machine is in, because there is one place alone. */
  readonly dataCenter: string | undefined;
  /** Absolute. The root of what hosts mount. */
  readonly folder: string;
  /** Name; undefined: the export domain that the data center has. */
  readonly exportDomain: string | undefined;
}

/** The options with absolute folders. @param baseDirectory holds ovault.yaml @param stateDirectory of this node */
export function resolveStaging<T extends StagingOptions>(
  options: T,
  baseDirectory: string,
  stateDirectory?: string,
): T {
  const { staging } = options;
  const base = staging === undefined ? undefined : resolve(baseDirectory, staging);
  const dataCenters = Object.entries(options.dataCenters).map(([name, center]) => {
    const folder = center.folder === undefined ? join(base ?? "/", name) : resolve(baseDirectory, center.folder);
    return [name, { ...center, folder }] as const;
  });
  return { ...options, stateDirectory, staging: base, dataCenters: Object.fromEntries(dataCenters) };
}

/** All places of options with absolute folders; none where ovault.yaml names no folder. */
export function stagingPlaces({ staging, exportDomain, dataCenters }: StagingOptions): readonly StagingPlace[] {
  const centers = Object.entries(dataCenters);
  if (centers.length === 0)
    return staging === undefined ? [] : [{ dataCenter: undefined, folder: staging, exportDomain }];
  return centers.flatMap(([dataCenter, { folder, exportDomain: own }]) =>
    folder === undefined ? [] : [{ dataCenter, folder, exportDomain: own }],
  );
}

/** The place of a data center, by its name; undefined where ovault.yaml has none for it. */
export function stagingPlaceOf(options: StagingOptions, dataCenter: string): StagingPlace | undefined {
  return stagingPlaces(options).find((place) => place.dataCenter === undefined || place.dataCenter === dataCenter);
}
