import { AuthenticationError } from "@ovault/contract";
import { issueCertificate, type ServerCertificate } from "@ovault/test-support/certificates";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";

import { EngineApi } from "../src/api/engine-api.ts";
import { EngineClient, type EngineClientOptions } from "../src/engine/engine-client.ts";
import { parseEngineUrl } from "../src/engine/engine-url.ts";
import { parseXml } from "../src/engine/parse-xml.ts";
import { parseDiskAttachment } from "../src/model/disk-attachment.ts";
import { findOldApi } from "../src/engine/find-old-api.ts";
import { EngineServer, PASSWORD, USER, type Reply } from "./support/engine-server.ts";

const page: Reply = { status: 404, type: "text/html", body: "<html><body>Not Found</body></html>" };
const root =
  '<api><product_info><name>oVirt Engine</name><version major="3" minor="6" build="7"/></product_info></api>';
const signal = new AbortController().signal;

let certificate: ServerCertificate;
let server: EngineServer;
let client: EngineClient;
let api: EngineApi;

function connect(options: Partial<EngineClientOptions> = {}): void {
  const trust = { ca: [certificate.ca] };
  client = new EngineClient({
    url: server.url,
    user: USER,
    password: PASSWORD,
    trust,
    timings: { pollMs: 1 },
    ...options,
  });
  api = new EngineApi(client);
}

const wire = (): string[] => server.calls.map(({ method, path, body }) => `${method} ${path} ${body}`.trim());
/** All but questions for the root. */
const sent = (): string[] => wire().filter((call) => call !== "GET");

beforeAll(async () => {
  certificate = await issueCertificate("IP:127.0.0.1");
});
beforeEach(async () => {
  server = await new EngineServer(certificate).start();
  server.login = () => page;
  connect();
});
afterEach(async () => {
  await client.close();
  await server.stop();
});

describe("an engine without single sign-on", () => {
  test("is found by its API's root, and spoken to in version 3 with basic authentication", async () => {
    server.reply = ({ path }) => ({ body: path === "" ? root : "<vms/>" });
    await Promise.all([api.vms.list({}, signal), api.vms.list({ allContent: true }, signal)]);
    expect(await client.apiVersion(signal)).toBe(3);
    expect(wire().filter((call) => call === "GET")).toHaveLength(1);
    expect(server.calls.every(({ headers }) => headers["version"] === "3")).toBe(true);
    expect(server.calls.map(({ headers }) => headers["all-content"]).filter(Boolean)).toEqual(["true"]);
  });

  test("refuses a wrong password in those words", async () => {
    connect({ password: "wrong" });
    await expect(api.vms.list({}, signal)).rejects.toThrow(AuthenticationError);
  });

  test("is not looked for where single sign-on is configured", async () => {
    connect({ auth: "sso" });
    server.reply = () => ({ body: root });
    await expect(api.vms.list({}, signal)).rejects.toMatchObject({ code: "E_ENGINE_ANSWER" });
    expect(server.calls).toEqual([]);
  });

  test("shows the disks of a machine as attachments, and takes disks for a snapshot", async () => {
    const inside = "<active>true</active><bootable>true</bootable><interface>virtio</interface>";
    const disk = "<alias>a</alias><size>512</size><format>cow</format><status><state>ok</state></status>";
    server.reply = ({ path }) => ({
      body:
        path === ""
          ? root
          : path.endsWith("/disks")
            ? `<disks><disk id="d">${disk}${inside}</disk></disks>`
            : '<snapshot id="s"/>',
    });
    const [attachment] = await api.vms.diskAttachments("v", false, signal);
    const later = `<disk_attachment id="d">${inside}<disk id="d"><alias>a</alias><provisioned_size>512</provisioned_size><format>cow</format><status>ok</status></disk></disk_attachment>`;
    const { disk: oldDisk, ...old } = attachment ?? {};
    const { disk: newDisk, ...modern } = parseDiskAttachment(parseXml(later));
    expect(old).toEqual(modern);
    expect(oldDisk).toEqual({ ...newDisk, active: true, bootable: true, interface: "virtio" });
    await api.snapshots.create("v", { description: "x", diskIds: ["d"] }, signal);
    expect(wire().at(-1)).toBe(
      'POST /vms/v/snapshots <snapshot><description>x</description><disks><disk id="d"/></disks>' +
        "<persist_memorystate>false</persist_memorystate></snapshot>",
    );
  });

  test("keeps the disks of a machine that is removed only when it is asked in a body", async () => {
    server.reply = ({ path }) => ({ body: path === "" ? root : "<action/>" });
    await api.vms.delete("v", { keepDisks: true }, signal);
    await api.vms.delete("v", { keepDisks: false }, signal);
    expect(sent()).toEqual([
      "DELETE /vms/v <action><vm><disks><detach_only>true</detach_only></disks></vm></action>",
      "DELETE /vms/v <action/>",
    ]);
  });

  test("makes no disk without an interface", async () => {
    server.reply = ({ path }) => ({ body: path === "" ? root : '<disk id="d"><alias>a</alias></disk>' });
    const disk = { name: "a", provisionedBytes: 512, format: "raw", sparse: true, storageDomainId: "sd" } as const;
    await api.disks.create(disk, signal);
    expect(sent()).toEqual([expect.stringContaining("<interface>virtio</interface>")]);
  });

  test("attaches, plugs and detaches disks below the machine", async () => {
    const there =
      '<disk id="d"><active>true</active><bootable>true</bootable><interface>virtio_scsi</interface></disk>';
    server.reply = ({ path }) => ({ body: path === "" ? root : there });
    const disk = { diskId: "d", interface: "virtio_scsi", bootable: true, readOnly: false, active: true };
    expect(await api.vms.attachDisk("v", disk, signal)).toMatchObject({ diskId: "d", active: true, bootable: true });
    await api.vms.attachDisk("v", { ...disk, snapshotId: "s", readOnly: true }, signal);
    await api.vms.updateDiskAttachment("v", "d", { active: false, passDiscard: true, backup: "none" }, signal);
    await api.vms.detachDisk("v", "d", signal);
    expect(sent()).toEqual([
      'POST /vms/v/disks <disk id="d"><active>false</active><read_only>false</read_only></disk>',
      "PUT /vms/v/disks/d <disk><bootable>true</bootable><interface>virtio_scsi</interface></disk>",
      "POST /vms/v/disks/d/activate <action/>",
      "GET /vms/v/disks/d",
      'POST /vms/v/disks <disk id="d"><active>true</active><read_only>true</read_only><snapshot id="s"/></disk>',
      "POST /vms/v/disks/d/deactivate <action/>",
      "DELETE /vms/v/disks/d <action><detach>true</detach></action>",
    ]);
  });
});

test.each([
  { answering: "/mine/api", found: "/mine/api", asked: 1 },
  { answering: "/ovirt-engine/api", found: "/ovirt-engine/api", asked: 2 },
  { answering: "/api", found: "/api", asked: 3 },
  { answering: "nowhere", found: undefined, asked: 3 },
])("an old API at $answering is found after $asked requests", async ({ answering, found, asked }) => {
  const seen: string[] = [];
  const place = await findOldApi("/mine/api", async (path) => {
    seen.push(path);
    const text = path === answering ? root : "<html><body>Not Found</body></html>";
    return { status: path === answering ? 200 : 404, contentType: "", location: undefined, cookies: [], text };
  });
  expect(place).toBe(found);
  expect(seen).toHaveLength(asked);
});

test("a login service that fails is no older engine", async () => {
  server.login = () => ({ status: 500, type: "text/html", body: "<html/>" });
  server.reply = () => ({ body: root });
  await expect(api.vms.list({}, signal)).rejects.toMatchObject({ code: "E_ENGINE_ANSWER" });
  expect(server.calls).toEqual([]);
});

describe.each([
  { version: 3, disks: (disk: string) => `<disks>${disk}</disks>` },
  {
    version: 4,
    disks: (disk: string) => `<disk_attachments><disk_attachment>${disk}</disk_attachment></disk_attachments>`,
  },
])("export domains in version $version", ({ version, disks }) => {
  beforeEach(() => {
    if (version === 4) server.login = undefined;
    server.reply = ({ path }) => ({ body: path === "" ? root : '<vm id="c"><name>n</name></vm>' });
  });
  test("a snapshot is cloned, with its disks where they are or elsewhere, and the clone exported", async () => {
    const clone = { name: "n", description: "d", clusterId: "k", snapshotId: "s" };
    const placement = { diskIds: ["x"], storageDomainId: "sd" };
    expect(await api.vms.cloneSnapshot(clone, signal)).toMatchObject({ id: "c" });
    await api.vms.cloneSnapshot({ ...clone, placement }, signal);
    await api.vms.export("c", { storageDomainId: "e", discardSnapshots: true, exclusive: true }, signal);
    const start = 'POST /vms <vm><name>n</name><description>d</description><cluster id="k"/>';
    const template = '<template id="00000000-0000-0000-0000-000000000000"/>';
    const end = '<snapshots><snapshot id="s"/></snapshots></vm>';
    const disk = '<disk id="x"><storage_domains><storage_domain id="sd"/></storage_domains></disk>';
    expect(sent()).toEqual([
      start + template + end,
      start + template + disks(disk) + end,
      "POST /vms/c/export <action><discard_snapshots>true</discard_snapshots><exclusive>true</exclusive>" +
        '<storage_domain id="e"/></action>',
    ]);
  });

  test("a domain is made, attached, activated, and taken away again", async () => {
    server.reply = ({ path }) => ({
      body: path === "" ? root : '<storage_domain id="e"><name>exp</name></storage_domain>',
    });
    const { storageDomains } = api;
    const nfs = { type: "export", hostId: "h", address: "a", path: "/p" } as const;
    const made = await storageDomains.create({ ...nfs, name: "exp" }, signal);
    expect(made).toMatchObject({ id: "e", name: "exp" });
    const options = { mountOptions: "nolock,port=1", nfsVersion: "v3" } as const;
    await storageDomains.create({ ...nfs, name: "own", ...options }, signal);
    await storageDomains.attach("dc", "e", signal);
    await storageDomains.activate("dc", "e", signal);
    await storageDomains.deactivate("dc", "e", signal);
    await storageDomains.detach("dc", "e", signal);
    await storageDomains.remove("e", { hostId: "h", format: true }, signal);
    expect(sent()).toEqual([
      "POST /storagedomains <storage_domain><name>exp</name><type>export</type><storage><address>a</address>" +
        '<path>/p</path><type>nfs</type></storage><host id="h"/></storage_domain>',
      "POST /storagedomains <storage_domain><name>own</name><type>export</type><storage><address>a</address>" +
        "<mount_options>nolock,port=1</mount_options><nfs_version>v3</nfs_version><path>/p</path><type>nfs</type>" +
        '</storage><host id="h"/></storage_domain>',
      'POST /datacenters/dc/storagedomains <storage_domain id="e"/>',
      "POST /datacenters/dc/storagedomains/e/activate <action/>",
      "POST /datacenters/dc/storagedomains/e/deactivate <action/>",
      "DELETE /datacenters/dc/storagedomains/e",
      version === 3
        ? 'DELETE /storagedomains/e <storage_domain><format>true</format><host id="h"/></storage_domain>'
        : "DELETE /storagedomains/e?host=h&format=true",
    ]);
  });

  test("its machines are listed, imported and removed", async () => {
    server.reply = ({ path, method }) =>
      path === ""
        ? { body: root }
        : method === "DELETE"
          ? { status: 404 }
          : { body: path.endsWith("/vms") ? '<vms><vm id="v"><name>n</name></vm></vms>' : "<action/>" };
    expect((await api.exportDomains.vms("e", signal)).map(({ name }) => name)).toEqual(["n"]);
    const where = { clusterId: "k", storageDomainId: "sd" };
    await api.exportDomains.importVm("e", "v", { ...where, clone: { name: "m" }, collapseSnapshots: true }, signal);
    await api.exportDomains.importVm("e", "v", { ...where, collapseSnapshots: false }, signal);
    await api.exportDomains.removeVm("e", "v", signal);
    const target = '<cluster id="k"/><storage_domain id="sd"/>';
    expect(sent()).toEqual([
      "GET /storagedomains/e/vms",
      version === 3
        ? `POST /storagedomains/e/vms/v/import <action><clone>true</clone>${target}<vm><name>m</name>` +
          "<snapshots><collapse_snapshots>true</collapse_snapshots></snapshots></vm></action>"
        : "POST /storagedomains/e/vms/v/import?collapse_snapshots=true " +
          `<action><clone>true</clone>${target}<vm><name>m</name></vm></action>`,
      `POST /storagedomains/e/vms/v/import <action>${target}</action>`,
      "DELETE /storagedomains/e/vms/v",
    ]);
  });
});

test("an engine with single sign-on tells its version without a request", async () => {
  server.login = undefined;
  expect(await client.apiVersion(signal)).toBe(4);
  expect(server.calls).toEqual([]);
});

test("basic authentication learns the version from the root", async () => {
  connect({ auth: "basic" });
  server.reply = () => ({ body: root });
  expect(await client.apiVersion(signal)).toBe(3);
});

test.each(["https://e/api", "https://e/api/v3", "https://e/ovirt-engine/api/v3/", "https://e"])(
  "%s leads to the engine",
  (url) => {
    expect(parseEngineUrl(url).apiPath).toBe("/ovirt-engine/api");
  },
);
