import { finding, messageOf, plural } from "@ovault/contract";
import { isBlockStorage, type StorageDomain } from "@ovault/ovirt";

import { HypervisorError } from "../errors.ts";
import type { Hypervisor } from "../hosts/hypervisor.ts";
import { dataCenterOf } from "../hosts/landscape.ts";
import { listVolumes } from "../volumes/logical-volumes.ts";
import type { DiagnosisSite, HostCheck } from "./host-check.ts";

const DEADLINE_MS = 60_000;

/** Of every block domain. */
const METADATA = "metadata";

/** Prints what the user that reads disks cannot do, for each directory of images; tries the first volume there. */
const CANNOT = `
for images; do
  if ! [ -d "$images/" ]; then echo "see it"
  else
    volume=$(find "$images/" -mindepth 2 -maxdepth 2 -type f ! -name '*.meta' ! -name '*.lease' -print -quit 2>/dev/null)
    if [ -z "$volume" ] || [ -r "$volume" ]; then echo; else echo "read its disks"; fi
  fi
done`;

/** Whether the host sees each data domain of its data center, and the user may go to the disks there. */
export const checkStorage: HostCheck = async (hypervisor, site, signal) => {
  const { host } = hypervisor;
  const domains = domainsOf(hypervisor, site);
  if (domains.length === 0) return finding.skip("its data center has no storage domain with disks");
  // Without its rights LVM shows nothing.
  const onBlock = site.failed?.has("rights") === true ? [] : domains.filter(isBlockStorage);
  const problems = [
    ...(await entering(hypervisor, site, domains, signal)),
    ...(await findingVolumes(hypervisor, onBlock, signal)),
  ];
  if (problems.length > 0) {
    throw new HypervisorError(problems.join("; "), {
      context: { host: host.id, hostName: host.name },
      hint: "Is the domain active on this host? A user that is not root needs the groups kvm and qemu, see the page on backups over SSH.",
    });
  }
  return finding.ok(`${plural(domains.length, "storage domain")}: ${domains.map(({ name }) => name).join(", ")}`);
};

/** The domains with disks in the data center of a host. */
export function domainsOf({ host }: Hypervisor, { landscape }: DiagnosisSite): readonly StorageDomain[] {
  const dataCenter = dataCenterOf(host, landscape);
  if (dataCenter === undefined) return [];
  return [...landscape.domains.values()].filter(
    ({ type, dataCenterIds }) => type === "data" && dataCenterIds.includes(dataCenter),
  );
}

async function entering(
  hypervisor: Hypervisor,
  { options: { dataCenterDirectory }, landscape }: DiagnosisSite,
  domains: readonly StorageDomain[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  const dataCenter = dataCenterOf(hypervisor.host, landscape) ?? "";
  const directories = domains.map(({ id }) => `${dataCenterDirectory}/${dataCenter}/${id}/images`);
  const { stdout } = await hypervisor.run(CANNOT, directories, { signal, deadlineMs: DEADLINE_MS });
  const answers = stdout.split("\n");
  return domains.flatMap(({ name }, index) => {
    const cannot = answers[index] ?? "";
    return cannot === "" ? [] : [`${name}: cannot ${cannot}`];
  });
}

/** LVM shows the volumes of block domains to root alone. */
async function findingVolumes(
  hypervisor: Hypervisor,
  domains: readonly StorageDomain[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  const problems: string[] = [];
  for (const { id, name } of domains) {
    try {
      const volume = { storageDomainId: id, diskId: "", volumeId: METADATA };
      const found = await listVolumes(hypervisor, [volume], signal);
      if (found.size === 0) problems.push(`${name}: LVM finds no volume group ${id}`);
    } catch (error) {
      signal.throwIfAborted();
      problems.push(`${name}: ${messageOf(error)}`);
    }
  }
  return problems;
}
