import { existsSync, readFileSync } from "node:fs";

import { expect, test } from "vitest";

import { parseXml } from "../src/engine/xml/read-xml.ts";
import { isXmlObject, valuesOf, type XmlValue } from "../src/engine/xml/xml-value.ts";
import { diskIdsOf, vmIdOf } from "./support/backup-steps.ts";
import { MIB, withLab, type LabFixture } from "./support/lab-fixture.ts";

/** Answers of a real engine 3.6.7. */
const folder = new URL("../../../../shared/ovirt/recorded/", import.meta.url);
const OLD = { engineVersion: "3.6" } as const;
const V3 = { version: "3" };

/** Elements that the recorded entities have no value for, or that a newer engine alone shows. */
const MORE = [
  /^vm\.(comment|description|initialization|memory_policy\.max|migration\.encrypted|multi_queues_enabled|numa_tune_mode|host|run_once|start_paused)/,
  /^(storage_domain|cluster|data_center)\.(comment|description)/,
  /^snapshots\.snapshot\.link\./, // an engine has them at regular snapshots alone
  /^api\.(link\.@href|time)/,
];

const recorded: readonly [file: string, path: (fixture: LabFixture) => string][] = [
  ["api-root", () => ""],
  ["cluster-detail", () => "/clusters/CLUSTER"],
  ["datacenter-detail", () => "/datacenters/CENTER"],
  ["storagedomain-detail", () => "/storagedomains/DOMAIN"],
  ["vm-detail", (fixture) => `/vms/${vmIdOf(fixture)}`],
  ["vm-disks", (fixture) => `/vms/${vmIdOf(fixture)}/disks`],
  ["vm-nics", (fixture) => `/vms/${vmIdOf(fixture)}/nics`],
  ["vm-snapshots", (fixture) => `/vms/${vmIdOf(fixture)}/snapshots`],
];

test.skipIf(!existsSync(folder)).each(recorded)(
  "3.6: %s has no element that the recorded one has not",
  async (file, pathOf) => {
    const real = parseXml(readFileSync(new URL(`ovirt-3.6.7-apiv3__${file}.xml`, folder), "utf8"));
    await withLab(OLD, async (fixture) => {
      await fixture.lab.powerOff("web", { graceful: true });
      const first = async (collection: string, element: string): Promise<string> =>
        (await fixture.client.get(`/${collection}`)).xml.child(element)?.attribute("id") ?? "";
      const path = pathOf(fixture)
        .replace("CLUSTER", await first("clusters", "cluster"))
        .replace("CENTER", await first("datacenters", "data_center"))
        .replace("DOMAIN", await first("storagedomains", "storage_domain"));
      const ours = parseXml((await fixture.client.get(path)).text);
      expect(ours.root).toBe(real.root);
      const known = new Set(formsOf(real.content, real.root));
      const unknown = [...new Set(formsOf(ours.content, ours.root))].filter((form) => !known.has(form));
      expect(unknown.filter((form) => !MORE.some((more) => more.test(form)))).toEqual([]);
    });
  },
);

test("3.6 speaks version 3 alone, at both of its paths, to clients that send the password each time", async () => {
  await withLab(OLD, async ({ lab, client }) => {
    const { origin } = new URL(lab.url);
    const authorization = client.authorization;
    const ask = (path: string, headers = {}) => client.raw("GET", `${origin}${path}`, { headers });
    const anonymous = await ask("/api");
    expect([anonymous.status, anonymous.headers["www-authenticate"], anonymous.text]).toEqual([
      401,
      'Basic realm="ENGINE"',
      "<html><head><title>Error</title></head><body>Unauthorized</body></html>",
    ]);
    for (const base of ["/api", "/ovirt-engine/api"]) {
      const { xml } = await ask(base, { authorization });
      expect(xml.child("product_info", "version")?.attribute("major")).toBe("3");
      expect(xml.child("product_info", "version")?.attribute("minor")).toBe("6");
      expect(xml.text("product_info", "full_version")).toMatch(/^3\.6\./);
      expect(xml.children("link").map((link) => link.attribute("href"))).toContain(`${base}/vms`);
      expect(xml.child("special_objects", "link")?.attribute("rel")).toBe("templates/blank");
    }
    expect((await ask("/api/v3", { authorization })).status).toBe(404);
    const login = await client.raw("POST", `${origin}/ovirt-engine/sso/oauth/token`, { body: "grant_type=password" });
    expect([login.status, login.text]).toEqual([404, expect.stringContaining("<html>")]);
  });
});

test("a session goes on by its cookie, until the engine restarts", async () => {
  await withLab(OLD, async ({ lab, client }) => {
    const prefer = "persistent-auth";
    const opened = await client.raw("GET", lab.url, { headers: { authorization: client.authorization, prefer } });
    const [cookie] = String(opened.headers["set-cookie"]).split(";");
    const again = (headers: Record<string, string>) => client.raw("GET", `${lab.url}/vms`, { headers });
    expect((await again({ cookie: cookie ?? "", prefer })).status).toBe(200);
    expect((await again({ cookie: cookie ?? "" })).status).toBe(401);
    expect((await again({ cookie: "JSESSIONID=other", prefer })).status).toBe(401);
    await lab.fault("token-expiry", "once");
    expect((await again({ cookie: cookie ?? "", prefer })).status).toBe(401);
  });
});

test.each(["4.0", "4.1", "4.2", "4.3"] as const)(
  "%s speaks version 3 to clients that name it, by header or path",
  async (engineVersion) => {
    await withLab({ engineVersion }, async (fixture) => {
      const { client, lab } = fixture;
      const path = `/vms/${vmIdOf(fixture)}`;
      expect((await client.get(path)).xml.text("status")).toBe("up");
      const asked = await client.call("GET", path, undefined, V3);
      expect([asked.xml.text("status", "state"), asked.xml.attribute("href")]).toEqual([
        "up",
        `/ovirt-engine/api${path}`,
      ]);
      const below = await client.get(`/v3${path}`);
      expect([below.xml.text("status", "state"), below.xml.attribute("href")]).toEqual([
        "up",
        `/ovirt-engine/api/v3${path}`,
      ]);
      expect((await client.get(`/v3${path}/diskattachments`)).status).toBe(404);
      expect((await client.get(`${path}/diskattachments`)).status).toBe(200);
      expect((await client.raw("GET", `${new URL(lab.url).origin}/api`)).status).toBe(404);
      expect(await client.login()).toMatch(/./);
    });
  },
);

test.each(["4.4", "4.5"] as const)("%s refuses version 3", async (engineVersion) => {
  await withLab({ engineVersion }, async ({ client }) => {
    const asked = await client.call("GET", "/vms", undefined, V3);
    expect([asked.status, asked.text]).toEqual([400, expect.stringMatching(/^<html>.*Bad Request/)]);
    expect((await client.get("/v3/vms")).status).toBe(400);
  });
});

test.each(["4.0", "4.1"] as const)("%s neither follows links nor transfers snapshots", async (engineVersion) => {
  await withLab({ engineVersion }, async (fixture) => {
    const { client } = fixture;
    const { xml } = await client.get(`/vms/${vmIdOf(fixture)}?follow=disk_attachments`);
    expect(xml.child("disk_attachments")).toBeUndefined();
    const [diskId] = diskIdsOf(fixture);
    const { xml: disk } = await client.get(`/disks/${diskId}`);
    expect([disk.text("total_size"), disk.text("content_type")]).toEqual([undefined, undefined]);
    const body = `<image_transfer><snapshot id="${disk.text("image_id")}"/><direction>download</direction></image_transfer>`;
    expect((await client.post("/imagetransfers", body)).status).toBe(400);
  });
});

test("disks of a machine have its connection inside; they are made, plugged, detached and removed there", async () => {
  await withLab(OLD, async (fixture) => {
    const { client, lab } = fixture;
    const path = `/vms/${vmIdOf(fixture)}/disks`;
    const disk = `<disk><alias>more</alias><size>${MIB}</size><interface>virtio</interface><format>raw</format><sparse>true</sparse><bootable>false</bootable><active>true</active></disk>`;
    const made = await client.post(path, disk);
    expect([made.status, made.xml.text("size"), made.xml.text("status", "state")]).toEqual([
      202,
      String(MIB),
      "locked",
    ]);
    const own = `${path}/${made.xml.attribute("id")}`;
    await client.until(own, ({ xml }) => xml.text("status", "state") === "ok" && xml.text("active") === "true");
    const all = (await client.get(path)).xml.children("disk");
    expect(all.map((one) => [one.text("alias"), one.text("interface"), one.text("active")])).toContainEqual([
      "more",
      "virtio",
      "true",
    ]);
    expect(all[0]?.attribute("href")).toBe(`/ovirt-engine/api${path}/${all[0]?.attribute("id")}`);

    expect((await client.post(`${own}/deactivate`)).xml.text("status", "state")).toBe("complete");
    await client.untilText(own, "active", "false");
    const detached = await client.call("DELETE", own, "<action><detach>true</detach></action>");
    expect(detached.status).toBe(200);
    const alone = `/disks/${made.xml.attribute("id")}`;
    expect((await client.get(own)).status).toBe(404);
    expect((await client.get(alone)).xml.text("status", "state")).toBe("ok");

    await client.post(
      path,
      `<disk id="${made.xml.attribute("id")}"><interface>virtio</interface><active>false</active></disk>`,
    );
    expect((await client.get(own)).xml.text("active")).toBe("false");
    const change = "<disk><bootable>false</bootable><interface>virtio_scsi</interface></disk>";
    expect((await client.call("PUT", own, change)).xml.text("interface")).toBe("virtio_scsi");
    expect((await client.delete(own)).status).toBe(200); // without a word of detaching, the disk goes too
    await client.untilGone(alone);
    expect(await lab.leftovers()).toMatchObject({ unattachedDisks: [], lockedDisks: [] });
  });
});

test("attaching reads of a disk what an engine reads, and no disk is made without an interface", async () => {
  await withLab(OLD, async (fixture) => {
    const { client } = fixture;
    const fields = `<alias>lone</alias><size>${MIB}</size><format>raw</format><sparse>true</sparse>`;
    const refused = await client.post("/disks", `<disk>${fields}</disk>`);
    expect([refused.status, refused.xml.text("detail")]).toEqual([400, expect.stringContaining("[interface]")]);
    const made = await client.post("/disks", `<disk>${fields}<interface>virtio</interface></disk>`);
    expect(made.status).toBe(202);
    const id = made.xml.attribute("id") ?? "";
    await client.until(`/disks/${id}`, ({ xml }) => xml.text("status", "state") === "ok");
    const wish = `<disk id="${id}"><bootable>true</bootable><interface>ide</interface></disk>`;
    const attached = (await client.post(`/vms/${vmIdOf(fixture)}/disks`, wish)).xml;
    expect([attached.text("bootable"), attached.text("interface"), attached.text("active")]).toEqual([
      "false",
      "virtio",
      "false",
    ]);
  });
});

test("a machine that is removed leaves its disks when the body says so", async () => {
  await withLab(OLD, async (fixture) => {
    const { client, lab } = fixture;
    const path = `/vms/${vmIdOf(fixture)}`;
    await lab.powerOff("web", { graceful: true });
    const body = "<action><vm><disks><detach_only>true</detach_only></disks></vm></action>";
    expect((await client.call("DELETE", path, body)).status).toBe(200);
    await client.untilGone(path);
    expect((await client.get("/disks")).xml.children("disk")).toHaveLength(2);
  });
});

test("a machine is made and changed in words of version 3, and its snapshot takes the disks that are named", async () => {
  await withLab(OLD, async (fixture) => {
    const { client } = fixture;
    const body = `<vm><name>three</name><cluster><name>Default</name></cluster><template><name>Blank</name></template><memory>${512 * MIB}</memory><cpu><topology sockets="2" cores="3"/></cpu><os type="rhel_6x64"><boot dev="network"/><boot dev="hd"/></os><custom_properties><custom_property name="sap_agent" value="true"/></custom_properties></vm>`;
    const made = (await client.post("/vms", body)).xml;
    expect(made.child("cpu", "topology")?.attribute("cores")).toBe("3");
    expect(made.child("os")?.attribute("type")).toBe("rhel_6x64");
    expect(made.children("os", "boot").map((boot) => boot.attribute("dev"))).toEqual(["network", "hd"]);
    expect(made.child("custom_properties", "custom_property")?.attribute("value")).toBe("true");

    const [diskId] = diskIdsOf(fixture);
    const snapshots = `/vms/${vmIdOf(fixture)}/snapshots`;
    const wish = `<snapshot><description>part</description><disks><disk id="${diskId}"/></disks></snapshot>`;
    const taken = (await client.post(snapshots, wish)).xml.attribute("id");
    await client.untilText(`${snapshots}/${taken}`, "snapshot_status", "ok");
    expect((await client.get(`${snapshots}/${taken}`)).xml.text("type")).toBe("regular");
    const disks = (await client.get(`${snapshots}/${taken}/disks`)).xml.children("disk");
    expect(disks.map((disk) => disk.attribute("id"))).toEqual([diskId]);
    const ovf = await client.call("GET", `${snapshots}/${taken}`, undefined, { "all-content": "true" });
    expect(ovf.xml.text("initialization", "configuration", "data")).toMatch(/Envelope/);
  });
});

test("faults are in the words of version 3", async () => {
  await withLab(OLD, async (fixture) => {
    const { client } = fixture;
    const { status, xml } = await client.post(`/vms/${vmIdOf(fixture)}/start`);
    expect([status, xml.name, xml.text("status", "state"), xml.text("fault", "reason")]).toEqual([
      409,
      "action",
      "failed",
      "Operation Failed",
    ]);
    const missing = await client.get("/vms/4f6dd4c3-5241-494f-8afc-f1c67254bf77");
    expect([missing.status, missing.text]).toEqual([404, ""]);
  });
});

/** Paths of all elements with text and of all attributes. */
function formsOf(value: XmlValue, path: string): readonly string[] {
  if (!isXmlObject(value)) return [path];
  return Object.keys(value)
    .filter((name) => name !== "#text")
    .flatMap((name) => valuesOf(value, name).flatMap((one) => formsOf(one, `${path}.${name}`)));
}
