import { compareNatural, inLanes, type Diagnosis } from "@ovault/contract";
import type { EngineApi } from "@ovault/ovirt";

import { clusterOf, readLandscape } from "../hosts/landscape.ts";
import { checkNames } from "./check-names.ts";
import { diagnoseHost } from "./diagnose-host.ts";
import type { DiagnosisSite } from "./host-check.ts";

const HOSTS_AT_ONCE = 16;

/**
 * Checks the names in the options, and each host that there are credentials for: several at once, each with a deadline of its own, so that dead hosts
 * do not hold up the others. Reports one line where there are credentials for none.
 */
export async function diagnose(
  api: EngineApi,
  site: Omit<DiagnosisSite, "landscape">,
  signal: AbortSignal,
): Promise<readonly Diagnosis[]> {
  const landscape = await readLandscape(api, signal);
  const names = checkNames(site, landscape);
  const hosts = landscape.hosts.toSorted((a, b) => compareNatural(a.name, b.name));
  if (!hosts.some((host) => site.credentials.has(host, clusterOf(host, landscape)))) {
    return [...names, { name: "hosts", status: "skip", detail: "there are credentials for no host", hint: null }];
  }
  const found = new Map<string, readonly Diagnosis[]>();
  await inLanes(
    hosts,
    HOSTS_AT_ONCE,
    async (host, laneSignal) => {
      found.set(host.id, await diagnoseHost(host, { ...site, landscape }, laneSignal));
    },
    signal,
  );
  return [...names, ...hosts.flatMap(({ id }) => found.get(id) ?? [])];
}
