import { describe, expect, test } from "vitest";

import { EngineAnswerError } from "../src/engine/errors.ts";
import { exportedOvf, type OvfExport } from "../src/ovf/exported-ovf.ts";
import { parseOvf, readOvf } from "../src/ovf/read-ovf.ts";

const GIB = 1024 ** 3;
const [VM, DISK, OTHER, BASE, LEAF, OTHER_LEAF, OLD, ACTIVE, NIC, TEMPLATE] = "0123456789"
  .split("")
  .map((digit) => `${digit.repeat(8)}-aaaa-4aaa-8aaa-aaaaaaaaaaaa`);
const [NEW_VM, NEW_DISK, NEW_VOLUME] = "bcd"
  .split("")
  .map((letter) => `${letter.repeat(8)}-aaaa-4aaa-8aaa-aaaaaaaaaaaa`);
const NO_ID = "00000000-0000-0000-0000-000000000000";

/** A machine on a template, with a snapshot, a second disk and a network card. */
const ovf = `<?xml version="1.0"?><ovf:Envelope xmlns:ovf="o" xmlns:rasd="r" xmlns:xsi="x">
<References>
 <File ovf:href="${DISK}/${BASE}" ovf:id="${BASE}"/><File ovf:href="${DISK}/${LEAF}" ovf:id="${LEAF}" ovf:size="1"/>
 <File ovf:href="${OTHER}/${OTHER_LEAF}" ovf:id="${OTHER_LEAF}"/>
</References>
<Section xsi:type="ovf:DiskSection_Type"><Info>List</Info>
 <Disk ovf:diskId="${BASE}" ovf:parentRef="" ovf:fileRef="${DISK}/${BASE}" ovf:vm_snapshot_id="${OLD}"/>
 <Disk ovf:diskId="${LEAF}" ovf:size="9" ovf:parentRef="${DISK}/${BASE}" ovf:fileRef="${DISK}/${LEAF}"
   ovf:volume-format="COW" ovf:volume-type='Preallocated' ovf:vm_snapshot_id="${ACTIVE}" ovf:disk-alias="one" ovf:boot="true"/>
 <Disk ovf:diskId="${OTHER_LEAF}" ovf:parentRef="" ovf:fileRef="${OTHER}/${OTHER_LEAF}"/>
</Section>
<Content ovf:id="out"><Name>old</Name><TemplateId>${TEMPLATE}</TemplateId><TemplateName>golden</TemplateName>
<Section ovf:id="${VM}" ovf:required="false" xsi:type="ovf:OperatingSystemSection_Type"><Info>Guest</Info></Section>
<Section xsi:type="ovf:VirtualHardwareSection_Type">
 <Item><rasd:InstanceId>${LEAF}</rasd:InstanceId><rasd:ResourceType>17</rasd:ResourceType>
  <rasd:HostResource>${DISK}/${LEAF}</rasd:HostResource><rasd:Parent>${BASE}</rasd:Parent><rasd:Template>${TEMPLATE}</rasd:Template></Item>
 <Item><rasd:InstanceId>${NIC}</rasd:InstanceId><rasd:ResourceType>10</rasd:ResourceType><rasd:Name>nic1</rasd:Name>
  <rasd:OtherResourceType>prod</rasd:OtherResourceType><rasd:Connection>prod</rasd:Connection>
  <rasd:MACAddress>00:00:00:00:00:01</rasd:MACAddress></Item>
</Section>
<Section xsi:type="ovf:SnapshotsSection_Type">
 <Snapshot ovf:id="${OLD}"><Type>REGULAR</Type></Snapshot><Snapshot ovf:id="${ACTIVE}"><Type>ACTIVE</Type></Snapshot>
</Section></Content></ovf:Envelope>`;

function wish(changes: Partial<OvfExport> = {}): OvfExport {
  const disk = { id: NEW_DISK ?? "", volumeId: NEW_VOLUME ?? "", bytes: GIB + 512 };
  const disks = new Map([[DISK ?? "", disk]]);
  return { name: "new", mac: "drop", vmId: NEW_VM ?? "", disks, networks: new Map(), ...changes };
}

describe("the OVF of a machine in an export domain", () => {
  test("names one raw, sparse volume for each disk, and no other file", () => {
    const exported = parseOvf(exportedOvf(ovf, wish()));
    const [volume, ...others] = exported.volumes;
    expect(others).toEqual([]);
    expect(Object.fromEntries(volume?.attributes ?? [])).toMatchObject({
      "ovf:diskId": NEW_VOLUME,
      "ovf:fileRef": `${NEW_DISK}/${NEW_VOLUME}`,
      "ovf:parentRef": "",
      "ovf:size": "2",
      "ovf:volume-format": "RAW",
      "ovf:volume-type": "Sparse",
      "ovf:disk-alias": "one",
      "ovf:boot": "true",
    });
    expect(exported.files.map((file) => file.value("ovf:href"))).toEqual([`${NEW_DISK}/${NEW_VOLUME}`]);
    const [drive] = exported.diskDrives;
    expect(drive?.value("rasd:InstanceId")).toBe(NEW_VOLUME);
    expect([drive?.value("rasd:Parent"), drive?.value("rasd:Template")]).toEqual([NO_ID, NO_ID]);
  });

  test("holds no id of the original, which the engine may still have, and no template", () => {
    const text = exportedOvf(ovf, wish());
    for (const id of [VM, DISK, OTHER, BASE, LEAF, OTHER_LEAF, OLD, ACTIVE, NIC, TEMPLATE]) {
      expect(text).not.toContain(id);
    }
    expect(text).toContain(`ovf:id="${NEW_VM}"`);
    const { content, volumes, snapshots } = parseOvf(text);
    expect([content.value("TemplateId"), content.value("TemplateName")]).toEqual([NO_ID, "Blank"]);
    expect(volumes[0]?.value("ovf:vm_snapshot_id")).toBe(snapshots[0]?.value("ovf:id"));
  });

  test.each([
    [new Map([["prod", "test"]]), ["test", "test"]],
    [new Map([["prod/prod", "test/slow"]]), ["test", "slow"]],
    [new Map([["other", "test"]]), ["prod", "prod"]],
    [new Map([["prod", "a<b&c"]]), ["a<b&c", "a<b&c"]],
  ])("puts network cards where %j says", (networks, [network, profile]) => {
    expect(readOvf(exportedOvf(ovf, wish({ networks, mac: "keep" }))).nics).toMatchObject([
      { network, profile, mac: "00:00:00:00:00:01" },
    ]);
  });

  test("is refused for a disk that it does not name, and for a machine without an id", () => {
    const disks = new Map([[NEW_VM ?? "", { id: NEW_DISK ?? "", volumeId: NEW_VOLUME ?? "", bytes: 512 }]]);
    expect(() => exportedOvf(ovf, wish({ disks }))).toThrow(EngineAnswerError);
    expect(() => exportedOvf(ovf.replace(`ovf:id="${VM}"`, ""), wish())).toThrow("does not name its machine");
  });
});
