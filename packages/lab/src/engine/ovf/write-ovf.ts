import { XMLBuilder } from "fast-xml-parser";

import { ownAttachments } from "../attachments.ts";
import type { AttachmentState, DiskState, EngineState, NicState, VmState } from "../engine-state.ts";
import { known } from "../inventory.ts";
import { templateOf } from "../templates.ts";
import { behaviourOf, type EngineBehaviour } from "../versions.ts";
import type { XmlObject } from "../xml/xml-value.ts";
import { ovfSettings, setting } from "../vm-settings.ts";
import { deviceSettings, nicTypes, resourceTypes } from "./ovf-words.ts";

const builder = new XMLBuilder({
  ignoreAttributes: false,
  attributeNamePrefix: "@",
  suppressBooleanAttributes: false,
});

const GIB = 1024 ** 3;
const MIB = 1024 ** 2;
const NO_ID = "00000000-0000-0000-0000-000000000000";

const interfaceWords = {
  virtio: "VirtIO",
  virtio_scsi: "VirtIO_SCSI",
  ide: "IDE",
  sata: "SATA",
  spapr_vscsi: "SPAPR_VSCSI",
} as const;

/**
 * The machine's configuration in the engine's own dialect of OVF, in the form of its release: OvfWriter of the engines'
 * sources. Sizes in it are whole GiB, which engines before 4.3 round down.
 */
export function writeOvf(vm: VmState, state: EngineState): string {
  const disks = ownAttachments(vm).flatMap((attachment) => {
    const disk = state.disks[attachment.diskId];
    return disk === undefined ? [] : [{ attachment, disk }];
  });
  const behaviour = behaviourOf(state.version);
  const envelope: XmlObject = {
    "@xmlns:ovf": "http://schemas.dmtf.org/ovf/envelope/1/",
    "@xmlns:rasd": "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData",
    "@xmlns:vssd": "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData",
    "@xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
    "@ovf:version": behaviour.ovfVersion,
    References: { File: disks.map(({ disk }) => fileOf(disk)) },
    ...(behaviour.fullOvf && { NetworkSection: networksOf(state) }),
    Section: [
      ...(behaviour.fullOvf ? [] : [{ "@xsi:type": "ovf:NetworkSection_Type", ...noNetworks }]),
      {
        "@xsi:type": "ovf:DiskSection_Type",
        Info: "List of Virtual Disks",
        Disk: disks.map((attached) => diskOf(vm, attached, behaviour)),
      },
    ],
    Content: contentOf(vm, state, disks),
  };
  return builder.build({ "?xml": { "@version": "1.0", "@encoding": "UTF-8" }, "ovf:Envelope": envelope });
}

/** Engines before 4.2 name no network. */
const noNetworks: XmlObject = { Info: "List of networks", Network: { "@ovf:name": "Network 1" } };

function networksOf({ inventory }: EngineState): XmlObject {
  const names = new Set(inventory.networks.map(({ name }) => name));
  return { Info: "List of networks", Network: [...names].map((name) => ({ "@ovf:name": name })) };
}

interface AttachedDisk {
  readonly attachment: AttachmentState;
  readonly disk: DiskState;
}

function contentOf(vm: VmState, state: EngineState, disks: readonly AttachedDisk[]): XmlObject {
  const { compatibility, fullOvf } = behaviourOf(state.version);
  const template = templateOf(state, vm);
  return {
    "@ovf:id": "out",
    "@xsi:type": "ovf:VirtualSystem_Type",
    Name: vm.name,
    CreationDate: dateOf(vm.createdAt),
    ExportDate: dateOf(new Date().toISOString()),
    ClusterCompatibilityVersion: `${compatibility.major}.${compatibility.minor}`,
    ...ovfSettings(vm.settings),
    ...(fullOvf && { ClusterName: known(state.inventory.clusters, vm.clusterId).name }),
    TemplateId: template.id,
    TemplateName: template.name,
    Origin: 3,
    Section: [
      {
        "@ovf:id": vm.id,
        "@ovf:required": "false",
        "@xsi:type": "ovf:OperatingSystemSection_Type",
        Info: "Guest Operating System",
        Description: setting(vm.settings, "os.type"),
      },
      {
        "@xsi:type": "ovf:VirtualHardwareSection_Type",
        Info: `${cpusOf(vm)} CPU, ${memoryMibOf(vm)} Memory`,
        Item: [
          cpuItem(vm),
          memoryItem(vm),
          ...disks.map(({ attachment, disk }) => diskItem(attachment, disk, state)),
          ...vm.nics.map((nic) => nicItem(nic, state)),
          ...displayItems(vm),
          deviceItem({ type: "controller", device: "ide" }),
          ...deviceItems(vm),
        ],
      },
    ],
  };
}

function fileOf(disk: DiskState): XmlObject {
  return {
    "@ovf:href": `${disk.id}/${disk.imageId}`,
    "@ovf:id": disk.imageId,
    "@ovf:size": disk.provisionedBytes,
    "@ovf:description": "Active VM",
    "@ovf:disk_storage_type": "IMAGE",
    "@ovf:cinder_volume_type": "",
  };
}

function diskOf(
  vm: VmState,
  { attachment, disk }: AttachedDisk,
  { fullOvf, ovfSizesRoundUp }: EngineBehaviour,
): XmlObject {
  return {
    "@ovf:diskId": disk.imageId,
    "@ovf:size": (ovfSizesRoundUp ? Math.ceil : Math.floor)(disk.provisionedBytes / GIB),
    "@ovf:vm_snapshot_id": vm.activeSnapshotId,
    "@ovf:parentRef": "",
    "@ovf:fileRef": `${disk.id}/${disk.imageId}`,
    "@ovf:format": "http://www.vmware.com/specifications/vmdk.html#sparse",
    "@ovf:volume-format": disk.format === "cow" ? "COW" : "RAW",
    "@ovf:volume-type": disk.sparse ? "Sparse" : "Preallocated",
    "@ovf:disk-interface": interfaceWords[attachment.interface],
    "@ovf:boot": attachment.bootable,
    ...(fullOvf && {
      "@ovf:read-only": attachment.readOnly,
      "@ovf:shareable": disk.shareable,
      "@ovf:pass-discard": attachment.passDiscard ?? false,
      "@ovf:scsi_reservation": attachment.usesScsiReservation ?? false,
      "@ovf:incremental-backup": disk.backup === "incremental",
    }),
    "@ovf:disk-alias": disk.alias,
    "@ovf:disk-description": disk.description,
    "@ovf:wipe-after-delete": disk.wipeAfterDelete,
  };
}

function cpuItem(vm: VmState): XmlObject {
  const count = (part: string): number => Number(setting(vm.settings, `cpu.topology.${part}`));
  return {
    "rasd:Caption": `${cpusOf(vm)} virtual cpu`,
    "rasd:Description": "Number of virtual CPU",
    "rasd:InstanceId": 1,
    "rasd:ResourceType": resourceTypes.cpu,
    "rasd:num_of_sockets": count("sockets"),
    "rasd:cpu_per_socket": count("cores"),
    "rasd:threads_per_cpu": count("threads"),
    "rasd:VirtualQuantity": cpusOf(vm),
  };
}

function memoryItem(vm: VmState): XmlObject {
  const mib = memoryMibOf(vm);
  return {
    "rasd:Caption": `${mib} MB of memory`,
    "rasd:Description": "Memory Size",
    "rasd:InstanceId": 2,
    "rasd:ResourceType": resourceTypes.memory,
    "rasd:AllocationUnits": "MegaBytes",
    "rasd:VirtualQuantity": mib,
  };
}

function diskItem(attachment: AttachmentState, disk: DiskState, state: EngineState): XmlObject {
  return {
    "rasd:Caption": disk.alias,
    "rasd:InstanceId": disk.imageId,
    "rasd:ResourceType": resourceTypes.disk,
    "rasd:HostResource": `${disk.id}/${disk.imageId}`,
    "rasd:Parent": NO_ID,
    "rasd:Template": NO_ID,
    "rasd:StorageId": disk.storageDomainId,
    "rasd:StoragePoolId": known(state.inventory.storageDomains, disk.storageDomainId).dataCenterId,
    "rasd:CreationDate": dateOf(disk.createdAt),
    Type: "disk",
    Device: "disk",
    BootOrder: attachment.bootable ? 1 : 0,
    IsPlugged: attachment.active,
    IsReadOnly: attachment.readOnly,
    Alias: `ua-${disk.id}`,
  };
}

function nicItem(nic: NicState, state: EngineState): XmlObject {
  const profile = state.inventory.vnicProfiles.find(({ id }) => id === nic.vnicProfileId);
  const network = state.inventory.networks.find(({ id }) => id === profile?.networkId);
  return {
    "rasd:Caption": `Ethernet adapter on ${network?.name ?? "[No Network]"}`,
    "rasd:InstanceId": nic.id,
    "rasd:ResourceType": resourceTypes.network,
    "rasd:OtherResourceType": profile?.name ?? "",
    "rasd:ResourceSubType": nicTypes.find(([type]) => type === nic.interface)?.[1],
    "rasd:Connection": network?.name ?? "",
    "rasd:Linked": nic.linked,
    "rasd:Name": nic.name,
    "rasd:ElementName": nic.name,
    "rasd:MACAddress": nic.mac,
    "rasd:speed": 10_000,
    Type: "interface",
    Device: "bridge",
    IsPlugged: nic.plugged,
    Alias: `ua-${nic.id}`,
  };
}

function displayItems({ settings }: VmState): readonly XmlObject[] {
  const usb = setting(settings, "usb.enabled") === "true" ? "ENABLED_NATIVE" : "DISABLED";
  return [
    { "rasd:Caption": "USB Controller", "rasd:ResourceType": resourceTypes.usb, "rasd:UsbPolicy": usb },
    {
      "rasd:Caption": "Graphical Controller",
      "rasd:ResourceType": resourceTypes.monitor,
      "rasd:VirtualQuantity": setting(settings, "display.monitors"),
      Type: "video",
      Device: "qxl",
    },
    {
      "rasd:Caption": "Graphical Framebuffer",
      "rasd:ResourceType": resourceTypes.graphics,
      Type: "graphics",
      Device: setting(settings, "display.type"),
    },
  ];
}

function deviceItems({ settings }: VmState): readonly XmlObject[] {
  return Object.entries(deviceSettings)
    .filter(([path]) => setting(settings, path) === "true")
    .map(([, device]) => deviceItem(device));
}

function deviceItem({ type, device }: { readonly type: string; readonly device: string }): XmlObject {
  return { "rasd:ResourceType": resourceTypes.other, Type: type, Device: device };
}

function cpusOf({ settings }: VmState): number {
  return ["sockets", "cores", "threads"]
    .map((part) => Number(setting(settings, `cpu.topology.${part}`)))
    .reduce((product, count) => product * count, 1);
}

function memoryMibOf({ settings }: VmState): number {
  return Number(setting(settings, "memory")) / MIB;
}

/** `2019/10/15 10:12:12`, UTC. */
function dateOf(iso: string): string {
  return iso.slice(0, 19).replaceAll("-", "/").replace("T", " ");
}
