import type { RecoveryPoint, RestorePlan, RestoreRequest } from "@ovault/contract";

import type { OvirtManager } from "../manager/manager.ts";
import { assertRestores } from "./assert-restores.ts";
import type { DiskFiller } from "./fill/disk-filler.ts";
import { designRestore, type RestoreDesign } from "./design/restore-design.ts";
import type { DesignedDisk } from "./disks/designed-disk.ts";
import type { MappedNic } from "./design/map-nics.ts";

/** The steps of a restore, for people. Changes nothing. @throws what the restore would throw at its start */
export async function planRestore(
  manager: OvirtManager,
  filler: DiskFiller,
  request: RestoreRequest,
  signal: AbortSignal,
): Promise<RestorePlan> {
  const capabilities = await manager.capabilities(signal);
  assertRestores(capabilities);
  const design = await designRestore(manager.api, { capabilities, filler }, request, signal);
  return {
    steps: [
      ...design.disks.map(diskStep),
      `make virtual machine ${request.name} in cluster ${design.cluster.name} from the configuration of the point`,
      ...design.nics.map((nic) => nicStep(nic, request.mac)),
      ...(design.disks.length === 0 ? [] : ["attach its disks, and check that all are there"]),
      `compare its ${compared(design, request.point)} with the point, and put back what differs`,
      ...(design.original.deleteProtected ? ["switch its delete protection on"] : []),
      ...(request.start ? [`start ${request.name}`] : []),
    ],
    warnings: design.warnings,
  };
}

/** What the point remembers of the machine besides its OVF. */
function compared({ settings, belongings }: RestoreDesign, { vm }: RecoveryPoint): string {
  const { permissions, affinityLabels, affinityGroups } = belongings;
  return [
    settings !== undefined && "settings",
    "disks and network cards",
    (vm.tags ?? []).length > 0 && "tags",
    permissions.length > 0 && "permissions",
    affinityLabels.length + affinityGroups.length > 0 && "affinity",
  ]
    .filter((part) => part !== false)
    .join(", ");
}

function diskStep({ record, domain, layout }: DesignedDisk): string {
  const { alias, logicalBytes } = record.disk;
  const kind = layout.format === "cow" ? "QCOW2" : "raw";
  const allocation = layout.sparse ? "thin" : "preallocated";
  return `make disk ${alias} (${logicalBytes} bytes, ${kind}, ${allocation}) on ${domain.name} and fill it`;
}

function nicStep({ nic, target }: MappedNic, mac: RestoreRequest["mac"]): string {
  const address = mac === "keep" && nic.mac !== undefined ? `address ${nic.mac}` : "a new address";
  return `connect ${nic.name} to ${target} with ${address}`;
}
