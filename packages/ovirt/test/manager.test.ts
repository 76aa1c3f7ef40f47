import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { ConfigurationError, UsageError, type Manager } from "@ovault/contract";
import { pluginOptions } from "@ovault/testkit";
import { issueCertificate, type ServerCertificate } from "@ovault/test-support/certificates";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";

import { diskAttributes, isHostedEngine } from "../src/model/attributes.ts";
import { capabilitiesOf } from "../src/model/capabilities.ts";
import plugin from "../src/index.ts";
import { OvirtManager, ovirtManager } from "../src/manager/manager.ts";
import { whyUnreadable } from "../src/machine/why-unreadable.ts";
import { EngineServer, PASSWORD, USER } from "./support/engine-server.ts";

const signal = new AbortController().signal;
let certificate: ServerCertificate;
let server: EngineServer;
let manager: OvirtManager;

beforeAll(async () => {
  certificate = await issueCertificate("IP:127.0.0.1");
  server = await new EngineServer(certificate).start();
});
beforeEach(() => {
  server.calls.length = 0;
  manager = new OvirtManager("home", {
    url: server.url,
    user: USER,
    password: PASSWORD,
    trust: { ca: [certificate.ca] },
    timings: { pollMs: 1 },
  });
});
afterEach(() => manager.close());
afterAll(() => server.stop());

/** What an engine says of a machine of three disks, in place of what it would. */
interface Given {
  readonly attachments?: string;
  readonly disks?: string;
  readonly alter?: (body: string) => string;
  /** More answers, by path. */
  readonly more?: Readonly<Record<string, string>>;
}

/** An engine of this version with a machine of three disks, unless others are given, and one without any. */
function serveInventory(version: string, given: Given = {}): void {
  const { alter = (body) => body, more = {} } = given;
  const [major, minor, build] = version.split(".");
  const follow = Number(major) > 4 || Number(minor) >= 2;
  const attachments =
    given.attachments ??
    `<disk_attachments>
    <disk_attachment id="d1"><active>true</active><interface>virtio</interface><disk id="d1"/></disk_attachment>
    <disk_attachment id="d2"><active>true</active><bootable>true</bootable><interface>virtio_scsi</interface>
      <read_only>true</read_only><disk id="d2"/></disk_attachment>
    <disk_attachment id="d3"><active>false</active><interface>virtio</interface><disk id="d3"/></disk_attachment>
  </disk_attachments>`;
  const tags = `<tags><tag id="t1"><name>nightly</name></tag><tag id="t2"><name>front</name></tag></tags>`;
  const answers: Record<string, string> = {
    "": `<api><product_info><name>oVirt Engine</name><version><major>${major}</major><minor>${minor}</minor>
      <build>${build}</build></version></product_info></api>`,
    "/vms": `<vms>
      <vm id="v1"><name>web</name><status>up</status><cluster id="c1"/><host id="h1"/><origin>ovirt</origin>
        ${follow ? `${attachments}${tags}` : ""}</vm>
      <vm id="v2"><name>HostedEngine</name><status>up</status><origin>managed_hosted_engine</origin>
        ${follow ? "<disk_attachments/>" : ""}</vm>
    </vms>`,
    "/vms/v1/diskattachments": attachments,
    "/vms/v2/diskattachments": "<disk_attachments/>",
    "/vms/v1/tags": tags,
    "/vms/v2/tags": "<tags/>",
    "/hosts": `<hosts><host id="h1"><name>node1</name></host></hosts>`,
    "/disks":
      given.disks ??
      `<disks>
      <disk id="d1"><alias>b</alias><provisioned_size>1024</provisioned_size><actual_size>10</actual_size>
        <total_size>0</total_size><format>raw</format><sparse>false</sparse><status>ok</status><backup>none</backup>
        <storage_type>image</storage_type><storage_domains><storage_domain id="s1"/></storage_domains></disk>
      <disk id="d2"><alias>z</alias><provisioned_size>2048</provisioned_size><actual_size>20</actual_size>
        <total_size>30</total_size><format>cow</format><sparse>true</sparse><status>ok</status>
        <backup>incremental</backup><image_id>i2</image_id><qcow_version>qcow2_v3</qcow_version>
        <wipe_after_delete>true</wipe_after_delete><storage_type>image</storage_type></disk>
      <disk id="d3"><alias>a</alias><lun_storage id="l"><logical_units><logical_unit id="l"/></logical_units></lun_storage>
        <shareable>true</shareable><storage_type>lun</storage_type></disk>
      <disk id="floating"><alias>f</alias><provisioned_size>1</provisioned_size></disk>
    </disks>`,
    "/clusters": `<clusters><cluster id="c1"><name>Default</name></cluster></clusters>`,
    "/storagedomains": `<storage_domains><storage_domain id="s1"><name>data</name></storage_domain></storage_domains>`,
    ...more,
  };
  server.reply = ({ path }) => {
    const body = answers[path.replace(/\?.*/, "")];
    return body === undefined ? { status: 404 } : { body: alter(body) };
  };
}

function attachmentOf(number: number, bootable: boolean): string {
  return `<disk_attachment id="d${number}"><active>true</active><bootable>${bootable}</bootable>
    <interface>virtio</interface><disk id="d${number}"/></disk_attachment>`;
}

function rawDisk(alias: string, number: number): string {
  return `<disk id="d${number}"><alias>${alias}</alias><provisioned_size>1024</provisioned_size><format>raw</format></disk>`;
}

describe("inventory", () => {
  test("machines come with their disks: bootable first, then by alias", async () => {
    serveInventory("4.5.4");
    const [web, hosted] = await manager.inventory(signal);
    expect(web).toMatchObject({
      id: "v1",
      name: "web",
      manager: "home",
      status: "up",
      cluster: { id: "c1", name: "Default" },
      host: { id: "h1", name: "node1" },
      tags: ["front", "nightly"],
    });
    expect(hosted?.tags).toEqual([]);
    expect(web?.disks.map(({ alias, index }) => [alias, index])).toEqual([
      ["z", 0],
      ["a", 1],
      ["b", 2],
    ]);
    expect(web?.disks[2]).toMatchObject({
      id: "d1",
      logicalBytes: 1024,
      actualBytes: 10,
      format: "raw",
      sparse: false,
      bootable: false,
      interface: "virtio",
      storageDomain: { id: "s1", name: "data" },
    });
    expect(hosted?.disks).toEqual([]);
    expect([web, hosted].map((vm) => vm !== undefined && isHostedEngine(vm))).toEqual([false, true]);
  });

  test("disks are numbered as people count, whatever the order of their ids", async () => {
    const aliases = [11, 2, 1, 10, 3].map((number) => `web_Disk${number}`);
    serveInventory("4.5.4", {
      attachments: `<disk_attachments>${aliases.map((_, at) => attachmentOf(at, at === 3)).join("")}</disk_attachments>`,
      disks: `<disks>${aliases.map(rawDisk).join("")}</disks>`,
    });
    const [web] = await manager.inventory(signal);
    expect(web?.disks.map(({ alias, index }) => [index, alias])).toEqual([
      [0, "web_Disk10"],
      [1, "web_Disk1"],
      [2, "web_Disk2"],
      [3, "web_Disk3"],
      [4, "web_Disk11"],
    ]);
  });

  test("a disk's attributes survive being stored", async () => {
    serveInventory("4.5.4");
    const [web] = await manager.inventory(signal);
    const stored: unknown = JSON.parse(JSON.stringify(web?.disks));
    expect(stored).toEqual(web?.disks);
    const attributes = web?.disks.map((disk) => diskAttributes(disk));
    expect(attributes?.[0]).toMatchObject({
      backup: "incremental",
      storageType: "image",
      contentType: "data",
      imageId: "i2",
      qcowVersion: "qcow2_v3",
      readOnly: true,
      wipeAfterDelete: true,
      active: true,
    });
    expect(attributes?.[1]).toMatchObject({ storageType: "lun", lunId: "l", shareable: true, active: false });
    expect(attributes?.[2]).toMatchObject({ backup: "none", shareable: false });
  });

  test("it takes the same few requests for any number of machines, once the engine can follow links", async () => {
    serveInventory("4.5.4");
    await manager.inventory(signal);
    await manager.inventory(signal);
    const paths = server.calls.map((call) => call.path).toSorted();
    const each = ["/clusters", "/disks", "/hosts", "/storagedomains", "/vms?follow=disk_attachments%2Ctags"];
    expect(paths).toEqual(["", ...[...each, ...each].toSorted()]);
  });

  test("an engine that cannot follow links is asked machine by machine", async () => {
    serveInventory("4.1.9");
    const [web] = await manager.inventory(signal);
    expect(web?.disks).toHaveLength(3);
    expect(web?.tags).toEqual(["front", "nightly"]);
    expect(server.calls.map((call) => call.path)).toContain("/vms/v2/diskattachments");
  });

  test("a disk that goes while we read is left out", async () => {
    serveInventory("4.5.4");
    const { reply } = server;
    server.reply = (request, index) => (request.path === "/disks" ? { body: "<disks/>" } : reply(request, index));
    const [web] = await manager.inventory(signal);
    expect(web?.disks).toEqual([]);
  });

  test("an attached disk that the engine does not show is not left out: no strategy can take it", async () => {
    const attachment = `<disk_attachment id="d2"><bootable>true</bootable><disk id="d2"/></disk_attachment>`;
    serveInventory("4.5.4", {
      alter: (body) => body.replace(/<disk id="d2"><alias>.*?<\/disk>/s, ""),
      more: { "/vms/v1/diskattachments/d2": attachment },
    });
    const [web] = await manager.inventory(signal);
    const hidden = web?.disks.find(({ id }) => id === "d2");
    expect(hidden).toMatchObject({ alias: "d2", logicalBytes: 0, bootable: true });
    expect(hidden && whyUnreadable(hidden)).toMatch(/not the disk/);
    expect(web?.disks).toHaveLength(3);
  });

  test.each(["0", "-5"])("an image of %s bytes is none", async (size) => {
    serveInventory("4.5.4", { alter: (body) => body.replace("<provisioned_size>1024<", `<provisioned_size>${size}<`) });
    await expect(manager.inventory(signal)).rejects.toMatchObject({ code: "E_ENGINE_ANSWER" });
  });

  test("an image without a size is no empty image", async () => {
    serveInventory("4.5.4");
    const { reply } = server;
    server.reply = (request, index) =>
      request.path === "/disks" ? { body: '<disks><disk id="d1"/></disks>' } : reply(request, index);
    await expect(manager.inventory(signal)).rejects.toMatchObject({ code: "E_ENGINE_ANSWER" });
  });
});

describe("capabilities", () => {
  test.each([
    [[4, 3, 10], { follow: true, transferFormat: true, backups: false, ownBackupId: false }],
    [[4, 4, 2], { backups: true, backupMode: false, shallowTransfer: false }],
    [[4, 4, 4], { backupMode: true, requireConsistency: true, timeoutPolicy: false }],
    [[4, 4, 10], { timeoutPolicy: true, persistentPhases: true, deleteAnyCheckpoint: true, ownBackupId: false }],
    [[4, 5, 0], { persistentPhases: true, ownBackupId: true, convertDisk: true }],
    [[5, 0, 0], { backupMode: true, ownBackupId: true }],
  ] as const)("version %j", ([major, minor, build], expected) => {
    const product = { name: "Oracle Linux Virtualization Manager", vendor: undefined };
    expect(capabilitiesOf({ ...product, version: { major, minor, build, full: "" } })).toMatchObject(expected);
  });
});

describe("the plugin", () => {
  const options = { url: "https://e/ovirt-engine/api", user: USER, password: { env: "P" }, ca: { file: "ca.pem" } };
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "ovault-ovirt-"));
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  const create = async (chosen: object): Promise<Manager> =>
    plugin.create(await pluginOptions(plugin, chosen), {
      name: "home",
      baseDirectory: directory,
      secret: async () => PASSWORD,
      signal,
    });

  test("makes a manager from a configuration entry", async () => {
    await writeFile(join(directory, "ca.pem"), certificate.ca);
    serveInventory("4.5.4");
    const made = await create({ ...options, url: server.url, pollMs: 1 });
    expect(await made.inventory(signal)).toHaveLength(2);
    await made.close();
  });

  test("takes the CA as text too", async () => {
    serveInventory("4.5.4");
    const made = await create({ ...options, url: server.url, ca: { pem: certificate.ca } });
    expect((await ovirtManager(made).capabilities(signal)).ownBackupId).toBe(true);
    await made.close();
  });

  test.each([
    { ...options, insecure: true },
    { ...options, url: "http://e/ovirt-engine/api" },
    { ...options, password: "plain text" },
    { ...options, ca: { file: "a", pem: "b" } },
    { ...options, fingerprint: "AB:CD" },
    { ...options, pollMs: 0 },
    { ...options, ca: undefined },
  ])("refuses %j", async (chosen) => {
    await expect(pluginOptions(plugin, chosen)).rejects.toThrow(ConfigurationError);
  });

  test("says which CA file is missing, or holds none", async () => {
    await expect(create({ ...options, ca: { file: "no.pem" } })).rejects.toThrow(/no\.pem/);
    await expect(create({ ...options, ca: { pem: "nothing" } })).rejects.toThrow(ConfigurationError);
    const broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    await expect(create({ ...options, ca: { pem: broken } })).rejects.toThrow(ConfigurationError);
  });

  test("a strategy gets its manager back, or a clear refusal", () => {
    expect(ovirtManager(manager)).toBe(manager);
    const other: Manager = { name: "n", kind: "other", inventory: async () => [], close: async () => undefined };
    expect(() => ovirtManager(other)).toThrow(UsageError);
  });

  test("calls of a run are tagged with its id", async () => {
    serveInventory("4.5.4");
    await manager.apiFor("run-1").infrastructure.clusters(signal);
    expect(server.calls.at(-1)?.headers["correlation-id"]).toBe("run-1");
  });
});
