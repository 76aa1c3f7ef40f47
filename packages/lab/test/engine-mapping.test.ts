import { join } from "node:path";

import { expect, test } from "vitest";

import { startLab } from "../src/index.ts";
import { diskIdsOf, vmIdOf } from "./support/backup-steps.ts";
import { EngineClient } from "./support/engine-client.ts";
import { MIB, withImages, withLab, type LabFixture } from "./support/lab-fixture.ts";
import { BLANK } from "./support/new-vm.ts";

const inventory = {
  clusters: [{ name: "spare" }, { name: "away", dataCenter: "North" }],
  storageDomains: [{ name: "fast" }, { name: "north-storage", dataCenter: "North" }],
  networks: [{ name: "dmz" }, { name: "dmz", dataCenter: "North" }],
  vnicProfiles: [{ name: "filtered", network: "dmz" }],
};

test("a lab has the clusters, networks, profiles and storage domains it is started with, each in its data centre", async () => {
  await withLab({ inventory }, async (fixture) => {
    const names = (path: string, element: string) => namesAt(fixture, path, element);
    expect(await names("/datacenters", "data_center")).toEqual(["Default", "North"]);
    const north = await idAt(fixture, "/datacenters", "data_center", "North");
    expect(await names("/clusters", "cluster")).toEqual(["Default", "spare", "away"]);
    expect(await names(`/datacenters/${north}/clusters`, "cluster")).toEqual(["away"]);
    expect(await names("/clusters?search=datacenter%3DNorth", "cluster")).toEqual(["away"]);
    expect(await names(`/datacenters/${north}/storagedomains`, "storage_domain")).toEqual(["north-storage"]);
    expect(await names(`/datacenters/${north}/networks`, "network")).toEqual(["ovirtmgmt", "dmz"]);
    const [dmz] = (await fixture.client.get("/networks?search=name%3Ddmz")).xml.children("network");
    expect(await names(`/networks/${dmz?.attribute("id")}/vnicprofiles`, "vnic_profile")).toEqual(["dmz", "filtered"]);
    expect(await names("/hosts", "host")).toEqual(["lab-host", "spare-host", "away-host"]);
  });
});

test("a lab that is taken up keeps its inventory, and gets what is new of it", async () => {
  await withImages(async ({ directory }) => {
    const options = { directory: join(directory, "lab"), delayMs: 20 };
    const first = await startLab({ ...options, inventory });
    const before = (await (await EngineClient.open(first)).get("/clusters")).text;
    await first.stop();
    const lab = await startLab({ ...options, inventory: { clusters: [...inventory.clusters, { name: "more" }] } });
    try {
      const client = await EngineClient.open(lab);
      const clusters = (await client.get("/clusters")).xml.children("cluster");
      expect(clusters.map((cluster) => cluster.text("name"))).toEqual(["Default", "spare", "away", "more"]);
      for (const cluster of clusters.slice(0, 3)) expect(before).toContain(cluster.attribute("id"));
    } finally {
      await lab.stop();
    }
  });
});

test("a disk lies on the storage domain it was made on, and is found and removed there only", async () => {
  await withLab({ inventory }, async (fixture) => {
    const { client } = fixture;
    const fast = await idAt(fixture, "/storagedomains", "storage_domain", "fast");
    const first = await idAt(fixture, "/storagedomains", "storage_domain", "lab-storage");
    const made = await client.post("/disks", diskXml("<storage_domain><name>fast</name></storage_domain>"));
    const id = made.xml.attribute("id");
    const disk = await client.untilText(`/disks/${id}`, "status", "ok");
    expect(disk.xml.child("storage_domains", "storage_domain")?.attribute("id")).toBe(fast);
    expect(await namesAt(fixture, `/storagedomains/${fast}/disks`, "disk")).toEqual(["new"]);
    expect((await client.get(`/storagedomains/${first}/disks/${id}`)).status).toBe(404);
    expect((await client.delete(`/storagedomains/${first}/disks/${id}`)).status).toBe(404);
    expect((await client.delete(`/storagedomains/${fast}/disks/${id}`)).status).toBe(200);
    await client.untilGone(`/disks/${id}`);
    const byName = await client.post("/disks", diskXml("<storage_domain><name>slow</name></storage_domain>"));
    expect([byName.status, byName.xml.text("detail")]).toEqual([404, "Entity not found: storage_domain: name=slow"]);
    const byId = await client.post("/disks", diskXml(`<storage_domain id="${BLANK}"/>`));
    expect([byId.status, byId.xml.text("detail")]).toEqual([
      400,
      "[Cannot add Virtual Disk. Storage Domain doesn't exist.]",
    ]);
  });
});

test("a machine is made in its cluster, and takes disks and networks of its data centre only", async () => {
  await withLab({ inventory }, async (fixture) => {
    const { client } = fixture;
    const away = await idAt(fixture, "/clusters", "cluster", "away");
    const template = `<template id="${BLANK}"/>`;
    const made = await client.post("/vms", `<vm><name>web</name><cluster><name>away</name></cluster>${template}</vm>`);
    expect([made.status, made.xml.child("cluster")?.attribute("id")]).toEqual([201, away]); // a name of its own there
    const path = `/vms/${made.xml.attribute("id")}`;
    const [disk] = diskIdsOf(fixture);
    const attached = await client.post(
      `${path}/diskattachments`,
      `<disk_attachment><disk id="${disk}"/><interface>virtio</interface></disk_attachment>`,
    );
    expect([attached.status, attached.xml.text("detail")]).toEqual([
      409,
      "[Cannot attach Virtual Disk. The target Data Center does not contain the Virtual Disk.]",
    ]);
    const filtered = await idAt(fixture, "/vnicprofiles", "vnic_profile", "filtered");
    const nic = (profile: string) =>
      client.post(`${path}/nics`, `<nic><name>nic1</name><vnic_profile id="${profile}"/></nic>`);
    expect((await nic(filtered)).xml.text("detail")).toBe(
      "[The specified Logical Network doesn't exist in the current Cluster.]",
    );
    const unknown = await nic(BLANK);
    expect([unknown.status, unknown.xml.text("detail")]).toEqual([
      400,
      "[Cannot add Network interface. The specified VM network interface profile doesn't exist.]",
    ]);
    const moved = await client.call("PUT", path, "<vm><cluster><name>spare</name></cluster></vm>");
    expect(moved.status).toBe(409);
    const own = `/vms/${vmIdOf(fixture)}`;
    await client.call("PUT", own, "<vm><cluster><name>spare</name></cluster></vm>");
    expect((await client.get("/vms?search=cluster%3Dspare")).xml.children("vm").length).toBe(1);
  });
});

test("a network card keeps its settings, and the engine refuses names and addresses that are taken", async () => {
  await withLab({ inventory }, async (fixture) => {
    const { client } = fixture;
    const path = `/vms/${vmIdOf(fixture)}/nics`;
    const filtered = await idAt(fixture, "/vnicprofiles", "vnic_profile", "filtered");
    const settings = `<interface>e1000</interface><linked>false</linked><mac><address>56:6f:00:00:00:01</address></mac><plugged>false</plugged><vnic_profile id="${filtered}"/>`;
    const made = await client.post(path, `<nic><name>second</name>${settings}</nic>`);
    const own = `${path}/${made.xml.attribute("id")}`;
    const shown = async (): Promise<readonly unknown[]> => {
      const { xml } = await client.get(own);
      const texts = ["interface", "linked", "plugged", "name"].map((name) => xml.text(name));
      return [...texts, xml.text("mac", "address"), xml.child("vnic_profile")?.attribute("id")];
    };
    expect(await shown()).toEqual(["e1000", "false", "false", "second", "56:6f:00:00:00:01", filtered]);
    await client.call("PUT", own, "<nic><linked>true</linked><plugged>true</plugged><vnic_profile/></nic>");
    expect(await shown()).toEqual(["e1000", "true", "true", "second", "56:6f:00:00:00:01", undefined]);
    const first = (await client.get(path)).xml.child("nic")?.text("mac", "address");
    for (const [status, change] of [
      [409, "<name>nic1</name>"],
      [409, `<mac><address>${first?.toUpperCase()}</address></mac>`],
      [400, "<mac><address>56:6f</address></mac>"],
      [400, "<on_boot>true</on_boot>"],
    ] as const) {
      expect([change, (await client.call("PUT", own, `<nic>${change}</nic>`)).status]).toEqual([change, status]);
    }
    expect(await shown()).toEqual(["e1000", "true", "true", "second", "56:6f:00:00:00:01", undefined]);
  });
});

test("a disk and its attachment keep their settings", async () => {
  await withLab({}, async (fixture) => {
    const { client } = fixture;
    const [disk] = diskIdsOf(fixture);
    const settings = {
      alias: "renamed",
      description: "",
      propagate_errors: "true",
      shareable: "false",
      wipe_after_delete: "true",
    };
    const xml = Object.entries(settings).map(([name, value]) => `<${name}>${value}</${name}>`);
    await client.call("PUT", `/disks/${disk}`, "<disk><description>before</description></disk>");
    expect((await client.call("PUT", `/disks/${disk}`, `<disk>${xml.join("")}</disk>`)).status).toBe(200);
    const shown = (await client.get(`/disks/${disk}`)).xml;
    expect(Object.fromEntries(Object.keys(settings).map((name) => [name, shown.exactText(name)]))).toEqual(settings);
    expect((await client.call("PUT", `/disks/${disk}`, "<disk><sgio>filtered</sgio></disk>")).status).toBe(400);
    const own = `/vms/${vmIdOf(fixture)}/diskattachments/${disk}`;
    for (const name of ["pass_discard", "read_only", "uses_scsi_reservation"]) {
      await client.call("PUT", own, `<disk_attachment><${name}>true</${name}></disk_attachment>`);
      expect([name, (await client.get(own)).xml.text(name)]).toEqual([name, "true"]);
    }
  });
});

function diskXml(domain: string): string {
  const size = `<format>cow</format><provisioned_size>${MIB}</provisioned_size>`;
  return `<disk><name>new</name>${size}<storage_domains>${domain}</storage_domains></disk>`;
}

async function namesAt({ client }: LabFixture, path: string, element: string): Promise<readonly unknown[]> {
  return (await client.get(path)).xml.children(element).map((entity) => entity.text("name"));
}

async function idAt({ client }: LabFixture, path: string, element: string, name: string): Promise<string> {
  const found = (await client.get(path)).xml.children(element).find((entity) => entity.text("name") === name);
  return found?.attribute("id") ?? "";
}
