import type { Diagnosis } from "@ovault/contract";

import type { Landscape } from "../hosts/landscape.ts";
import { knownNames } from "../hosts/unknown-names.ts";
import type { SshSite } from "../site.ts";

/** Warns of names of hosts and clusters in the options that the engine does not have; empty when it has all. */
export function checkNames({ credentials }: SshSite, landscape: Landscape): readonly Diagnosis[] {
  const unknown = credentials.unknownNames(landscape);
  if (unknown.length === 0) return [];
  const problems = unknown.map(({ path, problem }) => `${path}: ${problem}`).join("; ");
  const { otherManagers } = credentials;
  if (otherManagers.length > 0) {
    const hint = `That is right if it is one of manager ${otherManagers.join(", ")}. ${knownNames(landscape)}`;
    return [{ name: "names", status: "skip", detail: problems, hint }];
  }
  const hint = `${knownNames(landscape)} Correct the name, or remove what is gone from ovault.yaml.`;
  return [{ name: "names", status: "warn", detail: problems, hint }];
}
