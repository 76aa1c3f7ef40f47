import { expect, test } from "vitest";

import { readOvf } from "../src/engine/ovf/read-ovf.ts";
import { diskIdsOf, takeBackup, vmIdOf } from "./support/backup-steps.ts";
import { MIB, withLab } from "./support/lab-fixture.ts";
import { newVm } from "./support/new-vm.ts";

test("a machine shows its disks and cards, and follow puts them where their links were", async () => {
  await withLab({}, async (fixture) => {
    const { client } = fixture;
    const [cow, raw] = diskIdsOf(fixture);
    const { xml } = await client.get(`/vms/${vmIdOf(fixture)}?follow=disk_attachments.disk,nics`);
    const attachments = xml.children("disk_attachments", "disk_attachment");
    expect(attachments.map((attachment) => attachment.attribute("id"))).toEqual([cow, raw]);
    const shown = attachments.map((attachment) => ({
      alias: attachment.text("disk", "alias"),
      backup: attachment.text("disk", "backup"),
      bootable: attachment.flag("bootable"),
      bytes: attachment.integer("disk", "provisioned_size"),
      format: attachment.text("disk", "format"),
    }));
    expect(shown).toEqual([
      { alias: "web_Disk1", backup: "incremental", bootable: true, bytes: 8 * MIB, format: "cow" },
      { alias: "web_Disk2", backup: "none", bootable: false, bytes: 4 * MIB, format: "raw" },
    ]);
    expect(xml.text("nics", "nic", "mac", "address")).toMatch(/^56:6f(:[0-9a-f]{2}){4}$/);
  });
});

test("a machine shows its tags, where its link leads and where it is followed", async () => {
  await withLab({ vms: [{ name: "web", images: [], tags: ["nightly", "front"] }] }, async (fixture) => {
    const { client } = fixture;
    const path = `/vms/${vmIdOf(fixture)}`;
    const ownTags = (await client.get(`${path}/tags`)).xml.children("tag");
    const followed = (await client.get(`${path}?follow=tags`)).xml.children("tags", "tag");
    const all = (await client.get("/tags")).xml.children("tag");
    for (const tags of [ownTags, followed, all]) {
      const names = tags.map((tag) => tag.text("name")).filter((name) => name !== "root");
      expect(names).toEqual(["nightly", "front"]);
    }
    expect((await client.get(`/tags/${all[1]?.attribute("id")}`)).xml.text("name")).toBe("front");
  });
});

test("searches understand names, wildcards, states, words, order, pages and matrix parameters", async () => {
  await withLab({ vms: [] }, async ({ client }) => {
    for (const name of ["alpha", "beta", "alpine"]) {
      await newVm(client, name);
    }
    const names = async (query: string): Promise<readonly (string | undefined)[]> =>
      (await client.get(`/vms${query}`)).xml.children("vm").map((vm) => vm.text("name"));
    expect(await names("?search=name%3Dbeta")).toEqual(["beta"]);
    expect(await names("?search=name%3Dalp*%20sortby%20name%20desc")).toEqual(["alpine", "alpha"]);
    expect(await names("?search=status%3Dup")).toEqual([]);
    expect(await names("?search=name%3Dbeta%20or%20name%20%3D%20%22alpha%22")).toEqual(["alpha", "beta"]);
    expect(await names("?search=alp")).toEqual(["alpha", "alpine"]);
    expect(await names("?search=name%20!%3D%20beta%20and%20status%3Ddown")).toEqual(["alpha", "alpine"]);
    expect(await names("?search=sortby%20name%20asc%20page%202&max=2")).toEqual(["beta"]);
    expect(await names("?search=page%209&max=2")).toEqual([]);
    expect(await names(";max=1")).toEqual(["alpha"]);
  });
});

test("a search by what an engine knows is answered or refused, never passed over; by anything else it finds nothing", async () => {
  const inventory = { clusters: [{ name: "spare" }], storageDomains: [{ name: "fast" }], networks: [{ name: "dmz" }] };
  await withLab({ inventory }, async (fixture) => {
    const { client } = fixture;
    const [disk] = diskIdsOf(fixture);
    const vm = `/vms/${vmIdOf(fixture)}`;
    await client.post("/tags", "<tag><name>all</name></tag>");
    await client.post("/tags", "<tag><name>front</name><parent><name>all</name></parent></tag>");
    await client.post(`${vm}/tags`, "<tag><name>front</name></tag>");
    await client.call("PUT", vm, "<vm><os><type>rhel_8x64</type></os><comment>mail</comment></vm>");
    await client.call("PUT", `/disks/${disk}`, "<disk><wipe_after_delete>true</wipe_after_delete></disk>");
    const names = async (path: string, search: string): Promise<readonly (string | undefined)[]> => {
      const { xml } = await client.get(`/${path}?search=${encodeURIComponent(search)}`);
      const element = { vms: "vm", disks: "disk", datacenters: "data_center", hosts: "host", templates: "template" }[
        path
      ];
      return xml.children(element ?? "").map((entity) => entity.text("name"));
    };
    for (const search of [
      "tag=front",
      "tag = all",
      "Hosts.name=lab-host",
      "host = lab*",
      "os=rhel_8x64",
      "comment=mail",
      "Storage.name=lab-storage",
      "memory = 1024",
      "memory >= 1024 and memory < 1025",
      "cluster = Default and datacenter = Default",
      "status=up",
      `id=${vmIdOf(fixture)}`,
    ]) {
      expect([search, await names("vms", search)]).toEqual([search, ["web"]]);
    }
    for (const search of ["tag=back", "Storage.name=fast", "memory > 1024", "host != lab-host", `id=${disk}`]) {
      expect([search, await names("vms", search)]).toEqual([search, []]);
    }
    expect(await names("datacenters", "Clusters.name=spare")).toEqual(["Default"]);
    expect(await names("datacenters", "Clusters.name=none")).toEqual([]);
    expect(await names("hosts", "Vms.name=web")).toEqual(["lab-host"]);
    expect(await names("templates", `vm.id=${vmIdOf(fixture)}`)).toEqual(["Blank"]);
    expect(await names("disks", "size > 4194304")).toEqual(["web_Disk1"]);
    expect(await names("disks", "provisioned_size <= 4194304")).toEqual(["web_Disk2"]);
    expect(await names("disks", "wipe_after_delete=true and vm_names=web")).toEqual(["web_Disk1"]);
    expect(await names("disks", "Storage.name=lab-storage sortby size")).toEqual(["web_Disk2", "web_Disk1"]);
    for (const search of ["quota=gold", "Users.name=joe", "sortby cpu_usage", "id=1"]) {
      const answer = await client.get(`/vms?search=${encodeURIComponent(search)}`);
      expect([search, answer.status, answer.xml.name]).toEqual([search, 400, "fault"]);
    }
    for (const search of ["colour=red", "colour=red or name=web", "sortby colour"]) {
      expect([search, await names("vms", search)]).toEqual([search, []]);
    }
  });
});

test("every link of every collection leads somewhere", async () => {
  await withLab({}, async (fixture) => {
    const { client } = fixture;
    const [diskId] = diskIdsOf(fixture);
    await takeBackup(fixture, [diskId]);
    await client.post(`/vms/${vmIdOf(fixture)}/snapshots`, "<snapshot><description>s</description></snapshot>");
    await client.untilText(`/disks/${diskId}`, "status", "ok");
    const root = (await client.get("")).xml;
    const seen = new Set<string>();
    const visit = async (href: string): Promise<void> => {
      if (seen.has(href)) return;
      seen.add(href);
      const answer = await client.get(href.slice("/ovirt-engine/api".length));
      expect([href, answer.status]).toEqual([href, 200]);
      const readable = answer.text.replace(/<actions>.*?<\/actions>/gs, "");
      const hrefs = [...readable.matchAll(/ href="([^"]+)"/g)].map((match) => match[1] ?? "");
      for (const next of hrefs) await visit(next);
    };
    for (const link of root.children("link")) await visit(link.attribute("href") ?? "");
    expect(seen.size).toBeGreaterThan(50);
  });
});

test("the OVF is there only when all content is asked for, and says what the machine is", async () => {
  await withLab({}, async (fixture) => {
    const { client } = fixture;
    const path = `/vms/${vmIdOf(fixture)}`;
    expect((await client.get(path)).xml.child("initialization", "configuration")).toBeUndefined();
    const byHeader = await client.call("GET", path, undefined, { "all-content": "true" });
    const byParameter = await client.get(`${path}?all_content=true`);
    for (const { xml } of [byHeader, byParameter]) {
      const ovf = readOvf(xml.text("initialization", "configuration", "data") ?? "");
      expect(ovf).toMatchObject({ id: vmIdOf(fixture), name: "web" });
      expect(ovf.settings).toMatchObject({ "cpu.topology.sockets": "1", memory: String(1024 * MIB) });
      expect(ovf.disks.map(({ diskId, bootable }) => [diskId, bootable])).toEqual(
        diskIdsOf(fixture).map((id, index) => [id, index === 0]),
      );
      expect(ovf.nics).toMatchObject([{ name: "nic1", profile: "ovirtmgmt" }]);
    }
  });
});
