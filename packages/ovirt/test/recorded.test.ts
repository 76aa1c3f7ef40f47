import { existsSync, readdirSync, readFileSync } from "node:fs";

import { describe, expect, test } from "vitest";

import { EngineAnswerError, EngineFaultError, EntityNotFoundError } from "../src/engine/errors.ts";
import { parseXml } from "../src/engine/parse-xml.ts";
import { readAnswer } from "../src/engine/read-answer.ts";
import type { XmlElement } from "../src/engine/xml-element.ts";
import { parseCluster } from "../src/model/cluster.ts";
import { parseDataCenter } from "../src/model/data-center.ts";
import { parseDiskAttachment } from "../src/model/disk-attachment.ts";
import { parseDisk } from "../src/model/engine-disk.ts";
import { parseHostNic } from "../src/model/host-nic.ts";
import { parseHost } from "../src/model/host.ts";
import { parseNetworkAttachment } from "../src/model/network-attachment.ts";
import { parseNetwork } from "../src/model/network.ts";
import { parseNic } from "../src/model/nic.ts";
import { parseList } from "../src/model/parse-list.ts";
import { parseProductInfo } from "../src/model/product-info.ts";
import { parseReportedDevice } from "../src/model/reported-device.ts";
import { parseSnapshot } from "../src/model/snapshot.ts";
import { parseStorageDomain } from "../src/model/storage-domain.ts";
import { parseTemplate } from "../src/model/template.ts";
import { parseUser } from "../src/model/user.ts";
import { parseVmPool } from "../src/model/vm-pool.ts";
import { parseVm } from "../src/model/vm.ts";
import { parseVnicProfile } from "../src/model/vnic-profile.ts";
import { readOvf } from "../src/ovf/read-ovf.ts";
import { rewriteOvf } from "../src/ovf/rewrite-ovf.ts";

/** Answers of real engines, from 3.1 to 4.3; see the INDEX.md beside them. */
const folder = new URL("../../../../shared/ovirt/recorded/", import.meta.url);
const present = existsSync(folder);

const list =
  <T>(collection: string, item: string, parse: (element: XmlElement) => T) =>
  (root: XmlElement): readonly T[] =>
    parseList(root, collection, item, parse);

const disks = list("disks", "disk", parseDisk);
const attachments = list("disk_attachments", "disk_attachment", parseDiskAttachment);
const nics = list("nics", "nic", parseNic);
const snapshots = list("snapshots", "snapshot", parseSnapshot);
const domains = list("storage_domains", "storage_domain", parseStorageDomain);
const templates = list("templates", "template", parseTemplate);
const vms = list("vms", "vm", parseVm);

/** By the part of the file name after `__`, without numbers and extension. */
const parsers: Readonly<Record<string, (root: XmlElement) => unknown>> = {
  "api-root": parseProductInfo,
  "cluster-detail": parseCluster,
  "clusters-list": list("clusters", "cluster", parseCluster),
  "datacenter-attached-storagedomains": domains,
  "datacenter-detail": parseDataCenter,
  "datacenters-list": list("data_centers", "data_center", parseDataCenter),
  "disks-list": disks,
  "host-networkattachments": list("network_attachments", "network_attachment", parseNetworkAttachment),
  "host-nics": list("host_nics", "host_nic", parseHostNic),
  "hosts-list": list("hosts", "host", parseHost),
  "networks-list": list("networks", "network", parseNetwork),
  "snapshot-disks": disks,
  "storagedomain-detail": parseStorageDomain,
  "storagedomain-disk": parseDisk,
  "storagedomains-list": domains,
  "template-diskattachments": attachments,
  "template-disks": disks,
  "templates-list": templates,
  "templates-search": templates,
  "user-detail": parseUser,
  "vm-detail": parseVm,
  "vm-diskattachments": attachments,
  "vm-disks": disks,
  "vm-nics": nics,
  "vm-reporteddevices": list("reported_devices", "reported_device", parseReportedDevice),
  "vm-snapshots": snapshots,
  "vm-update-response": parseVm,
  "vmpools-list": list("vmpools", "vmpool", parseVmPool),
  "vms-list": vms,
  "vnicprofiles-list": list("vnic_profiles", "vnic_profile", parseVnicProfile),
};

const parserOf = (file: string): ((root: XmlElement) => unknown) | undefined => {
  const kind = file.replace(/^.*?__/, "").replace(/(-page\d+)?(-empty)?(-all_content-with-ovf)?(-\d+)?\.xml$/, "");
  return parsers[kind];
};
const isOvf = (file: string): boolean => file.endsWith(".ovf") || file.includes("__ovf-");

/** Without the folder, one name that says so: the tests below are skipped under it. */
const names = present ? readdirSync(folder) : ["THE RECORDED ANSWERS ARE MISSING, so nothing is checked: no.xml"];
const text = (file: string): string => readFileSync(new URL(file, folder), "utf8");
const macs = (file: string) => nics(parseXml(text(file))).map((nic) => nic.mac);
const version = (file: string) => parseProductInfo(parseXml(text(file))).version;
const read = (file: string, status: number): XmlElement =>
  readAnswer(
    {
      status,
      contentType: file.endsWith(".html") ? "text/html" : "application/xml",
      location: undefined,
      cookies: [],
      text: text(file),
    },
    { method: "GET", path: "/recorded" },
  );

const readFault = (): XmlElement => read("ovirt-3.6.7-apiv3__templates-search-fault.xml", 400);

describe.skipIf(!present)("recorded answers", () => {
  test.each(names.filter((name) => name.endsWith(".xml") && !isOvf(name) && !name.includes("fault")))(
    "%s parses into what it is",
    (file) => {
      const parsed = parserOf(file)?.(read(file, 200));
      expect(parsed, "an object or a list").toBeDefined();
      const entities = [parsed].flat();
      expect(entities.length === 0).toBe(!/ id="| major="/.test(text(file)));
      expect(JSON.stringify(entities)).not.toContain('"id":""');
    },
  );

  test.each(names.filter(isOvf))("%s reads as an OVF, and rewrites into one", (file) => {
    const ovf = readOvf(text(file));
    expect(ovf.name).not.toBe("");
    expect(ovf.disks.length).toBeGreaterThan(0);
    const rewritten = rewriteOvf(text(file), { name: "other", disks: new Map(), mac: "drop" });
    expect(readOvf(rewritten)).toEqual({
      ...ovf,
      name: "other",
      disks: [],
      nics: ovf.nics.map((nic) => ({ ...nic, mac: undefined })),
    });
  });

  test("a missing entity is one whether the engine says so with nothing or with a fault", () => {
    const missing = names.filter((name) => name.endsWith(".empty"));
    expect(missing.length).toBeGreaterThan(0);
    for (const file of missing) expect(() => read(file, 404)).toThrow(EntityNotFoundError);
  });

  test("a fault is an error with the engine's words in it", () => {
    expect(readFault).toThrow(EngineFaultError);
    expect(readFault).toThrow(/invalid input syntax for uuid/);
  });

  test("a page in place of an answer is no missing entity", () => {
    expect(() => read("ovirt-4.1__api-root-not-found.html", 404)).toThrow(EngineAnswerError);
  });

  test("versions are read in all their notations", () => {
    expect(version("rhev-3.1-apiv3__api-root.xml")).toMatchObject({ major: 3, minor: 1 });
    expect(version("ovirt-3.6.7-apiv3__api-root.xml")).toEqual({ major: 3, minor: 6, build: 7, full: "3.6.7_master" });
    const [cluster] = list("clusters", "cluster", parseCluster)(parseXml(text("rhv-4.3.7__clusters-list.xml")));
    expect(cluster?.version).toMatchObject({ major: 4, minor: 3 });
  });

  test("a disk of version 3 holds what its attachment holds later", () => {
    const [disk] = disks(parseXml(text("ovirt-3.6.7-apiv3__vm-disks.xml")));
    expect(disk).toMatchObject({
      alias: "GlanceDisk-73786f4",
      status: "ok",
      format: "cow",
      provisionedBytes: 42_991_616,
      interface: "virtio",
      bootable: false,
      storageDomainIds: ["ee745353-c069-4de8-8d76-ec2e155e2ca0"],
    });
  });

  test("a LUN is known as one, with its size", () => {
    const [disk] = disks(parseXml(text("rhev-3.1-apiv3__vm-disks-1.xml")));
    expect(disk).toMatchObject({
      storageType: "lun",
      lunId: "360a980005034442f525a716549583947",
      provisionedBytes: 107_374_182_400,
      format: undefined,
    });
  });

  test("a MAC address is read as element and as attribute", () => {
    expect(macs("ovirt-3.6.7-apiv3__vm-nics.xml")).toEqual(["00:1a:4a:16:01:52"]);
    expect(macs("rhv-4.3.7__vm-nics-1.xml")).toEqual(["56:6f:85:ae:00:00"]);
  });

  test("the OVF inside a virtual machine comes out as the engine wrote it", () => {
    const vm = parseVm(parseXml(text("rhv-4.3.7__vm-detail-all_content-with-ovf.xml")));
    expect(vm).toMatchObject({ name: "rhel7s", status: "up" });
    expect(vm.ovf).toBe(text("rhv-4.3.7__vm-detail-all_content-with-ovf__decoded.ovf"));
  });

  test("an OVF lists disks and network cards", () => {
    expect(readOvf(text("rhv-4.3.7__vm-detail-all_content-with-ovf__decoded.ovf"))).toEqual({
      name: "rhel7s",
      disks: [
        {
          diskId: "f6e4775b-53be-4136-9e30-f0be18b70668",
          volumeId: "13b96488-ccf7-4eb6-9e08-a0c2f195278a",
          alias: "rhel7s_Disk1",
          bootable: true,
          interface: "virtio_scsi",
        },
      ],
      nics: [
        {
          id: "93159b67-49fe-4add-8b31-91be915a208b",
          name: "nic1",
          mac: "56:6f:85:ae:00:00",
          network: "ovirtmgmt",
          profile: "ovirtmgmt",
          linked: true,
          plugged: true,
        },
      ],
      description: "",
      compatibility: { major: 4, minor: 3, build: 0, full: "4.3" },
      customCompatibility: undefined,
      deleteProtected: false,
      uefi: false,
      tpm: false,
      firmware: new Set(),
    });
  });
});
