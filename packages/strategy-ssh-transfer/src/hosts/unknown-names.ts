import { compareNatural, nearest } from "@ovault/contract";

import type { SshTransferOptions } from "../options.ts";
import { STRATEGY_NAME } from "../strategy-name.ts";
import type { Landscape } from "./landscape.ts";

/** A name under `hosts` or `clusters` that the engine does not have. */
export interface UnknownName {
  /** Its path in ovault.yaml. */
  readonly path: string;
  /** What is wrong with it, with the name that may be meant, for people. */
  readonly problem: string;
}

/**
 * The names of hosts and clusters in the options that the engine does not have, in whatever data center. None where the
 * engine shows no hosts or no clusters at all: then the rights of its user are the reason.
 */
export function unknownNames(
  { hosts, clusters }: Pick<SshTransferOptions, "hosts" | "clusters">,
  landscape: Landscape,
): readonly UnknownName[] {
  const ofHosts = landscape.hosts.map(({ name }) => name);
  const meant = (name: string): string | undefined => landscape.hosts.find(({ address }) => address === name)?.name;
  return [
    ...missing("hosts", Object.keys(hosts), ofHosts, meant),
    ...missing("clusters", Object.keys(clusters), clusterNames(landscape)),
  ];
}

/** For people: the names that there are. */
export function knownNames(landscape: Landscape): string {
  const hosts = landscape.hosts.map(({ name }) => name);
  return `The engine has host ${shortList(hosts)}, and cluster ${shortList(clusterNames(landscape))}.`;
}

function clusterNames({ clusters }: Landscape): readonly string[] {
  return [...clusters.values()].map(({ name }) => name);
}

function missing(
  section: "hosts" | "clusters",
  names: readonly string[],
  known: readonly string[],
  meant: (name: string) => string | undefined = () => undefined,
): readonly UnknownName[] {
  if (known.length === 0) return [];
  return names
    .filter((name) => !known.includes(name))
    .map((name) => {
      const near = meant(name) ?? nearest(name, known);
      const question = near === undefined ? "" : `, did you mean "${near}"?`;
      const path = `strategies.${STRATEGY_NAME}.${section}.${name}`;
      return { path, problem: `the engine has no ${section.slice(0, -1)} of this name${question}` };
    });
}

const MOST_NAMES = 20;

function shortList(names: readonly string[]): string {
  const shown = names.toSorted(compareNatural).slice(0, MOST_NAMES);
  const rest = names.length - shown.length;
  return shown.join(", ") + (rest > 0 ? ` and ${rest} more` : "");
}
