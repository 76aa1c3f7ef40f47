import { lookup } from "node:dns/promises";
import { networkInterfaces } from "node:os";

import { ExportDomainError } from "@ovault/strategy-export-domain";

import { addressTowards } from "./address-towards.ts";
import { storageHostOf, unlessRefused, type DataCenter, type EngineApi, type Host } from "@ovault/ovirt";

/** As `storageHostOf`. @throws ExportDomainError when none is up */
export function hostThatIsUp(hosts: readonly Host[], dataCenter: DataCenter): Host {
  const host = storageHostOf(hosts);
  if (host !== undefined) return host;
  throw new ExportDomainError(`data center ${dataCenter.name} has no host that is up`, {
    context: { dataCenter: dataCenter.id },
    hint: "A host mounts the export when it becomes an export domain: activate one in the manager.",
  });
}

/** All addresses that the engine knows of hosts, as numbers. Names that nothing resolves are left out. */
export async function addressesOf(
  api: EngineApi,
  hosts: readonly Host[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  const found = new Set<string>();
  for (const host of hosts) {
    if (host.address !== undefined) {
      for (const { address } of await lookup(host.address, { all: true }).catch(() => [])) found.add(address);
    }
    const nics = await unlessRefused(api.infrastructure.hostNics(host.id, signal));
    for (const address of (nics ?? []).flatMap(({ addresses }) => addresses)) found.add(address);
  }
  return [...found];
}

/** The addresses of this machine: it connects to itself to prove an export. */
export function ownAddresses(): readonly string[] {
  return Object.values(networkInterfaces()).flatMap((all) =>
    (all ?? []).map(({ address }) => address.split("%")[0] ?? address),
  );
}

/** Who must be let in: the hosts, and this node, which proves the export. */
export async function clientsOf(hosts: readonly Host[], address: string | undefined): Promise<readonly string[]> {
  const known = hosts.flatMap((host) => (host.address === undefined ? [] : [host.address]));
  const [first] = known;
  const own = address ?? (first === undefined ? undefined : await addressTowards(first));
  return [...new Set(own === undefined ? known : [...known, own])];
}
