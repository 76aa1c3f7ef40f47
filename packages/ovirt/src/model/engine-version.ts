import type { XmlElement } from "../engine/xml-element.ts";

/** A version as the engine writes it. `build` is the third digit: 7 in 4.4.7. */
export interface EngineVersion {
  readonly major: number;
  readonly minor: number;
  readonly build: number;
  /** The whole text, e.g. `4.4.7.6-1.el8`; built from the digits where the engine sends none. */
  readonly full: string;
}

/** Reads the `version` child: elements in version 4, attributes up to 3.5 and in version 3. */
export function parseVersion(owner: XmlElement): EngineVersion | undefined {
  const major = owner.int("version", "major");
  const minor = owner.int("version", "minor");
  if (major === undefined || minor === undefined) return undefined;
  const build = owner.int("version", "build") ?? 0;
  const full = owner.value("version", "full_version") ?? owner.value("full_version");
  return { major, minor, build: Math.max(build, 0), full: full ?? `${major}.${minor}.${build}` };
}

/** True when `version` is this one or a later one. */
export function isAtLeast(version: EngineVersion, major: number, minor: number, build = 0): boolean {
  const difference = version.major - major || version.minor - minor || version.build - build;
  return difference >= 0;
}
