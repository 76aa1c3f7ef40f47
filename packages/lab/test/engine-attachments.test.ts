import { closeSync, openSync } from "node:fs";
import { open, readFile, readdir, stat } from "node:fs/promises";
import { join } from "node:path";

import { expect, test } from "vitest";

import { engineVersions, startLab, type LabOptions } from "../src/index.ts";
import { diskIdsOf, vmIdOf } from "./support/backup-steps.ts";
import { EngineClient, type Answer } from "./support/engine-client.ts";
import { MIB, STEP_MS, withImages, withLab, type LabFixture } from "./support/lab-fixture.ts";
import { newVm } from "./support/new-vm.ts";

/** A lab with a machine `web` and a proxy that shows its devices; a snapshot of `web` with all its disks. */
interface Site extends LabFixture {
  readonly web: string;
  readonly proxy: string;
  readonly diskId: string;
  readonly snapshotId: string;
  /** Of the snapshot's disk, when it is plugged into the proxy. */
  readonly device: string;
}

const withAttachments = engineVersions.filter((version) => version !== "3.6"); // they came with 4.0

async function withSite(options: Partial<LabOptions>, work: (site: Site) => Promise<void>): Promise<void> {
  await withImages(async (images) => {
    const directory = join(images.directory, "lab");
    const vms = [
      { name: "web", images: [images.cow, images.raw] },
      { name: "proxy", images: [images.cow], devices: "devices" },
      { name: "old", images: [], virtioScsi: false },
    ];
    const lab = await startLab({ directory, vms, delayMs: STEP_MS, ...options });
    const client = await EngineClient.open(lab);
    try {
      const fixture = { lab, client, directory };
      const [diskId] = diskIdsOf(fixture);
      const [web, proxy] = [vmIdOf(fixture), vmIdOf(fixture, "proxy")];
      await lab.write("web", "0", { offset: 0, length: MIB, kind: "pattern", pattern: 1 });
      const snapshotId = await takeSnapshot(fixture, web);
      await lab.write("web", "0", { offset: 0, length: MIB, kind: "pattern", pattern: 2 });
      const device = join(directory, "devices", `scsi-0QEMU_QEMU_HARDDISK_${diskId}`);
      await work({ ...fixture, web, proxy, diskId, snapshotId, device });
    } finally {
      await client.close();
      await lab.stop();
    }
  });
}

async function takeSnapshot({ client }: Pick<LabFixture, "client">, vmId: string): Promise<string> {
  const made = await client.post(`/vms/${vmId}/snapshots`, "<snapshot><description>s</description></snapshot>");
  const id = made.xml.attribute("id") ?? "";
  await client.untilText(`/vms/${vmId}/snapshots/${id}`, "snapshot_status", "ok");
  await client.until(`/disks`, ({ xml }) => xml.children("disk").every((disk) => disk.text("status") === "ok"));
  return id;
}

function attachSnapshot({ client, proxy, diskId, snapshotId }: Site): Promise<Answer> {
  return client.post(`/vms/${proxy}/diskattachments`, snapshotXml(diskId, snapshotId));
}

function snapshotXml(diskId: string, snapshotId: string): string {
  return `<disk_attachment><active>true</active><interface>virtio_scsi</interface><disk id="${diskId}"><snapshot id="${snapshotId}"/></disk></disk_attachment>`;
}

const newDiskXml =
  "<disk_attachment><active>true</active><interface>virtio</interface><disk><name>restored</name><format>cow</format><provisioned_size>4194304</provisioned_size></disk></disk_attachment>";

function unplug({ client, proxy, diskId }: Site): Promise<Answer> {
  const path = `/vms/${proxy}/diskattachments/${diskId}`;
  return client.call("PUT", path, "<disk_attachment><active>false</active></disk_attachment>");
}

async function detach(site: Site): Promise<Answer> {
  const path = `/vms/${site.proxy}/diskattachments/${site.diskId}`;
  await unplug(site);
  await site.client.untilText(path, "active", "false");
  return site.client.delete(`${path}?detach_only=true`);
}

test.each([...withAttachments.map((version) => [version, "ovirt"] as const), ["4.5", "olvm"] as const])(
  "%s %s: a proxy reads the disk of a snapshot through a device, and gives it back",
  async (engineVersion, product) => {
    await withSite({ engineVersion, product }, async (site) => {
      const { lab, client, proxy, diskId, device } = site;
      const attached = await attachSnapshot(site);
      expect([attached.status, attached.xml.attribute("id"), attached.xml.text("active")]).toEqual([
        201,
        diskId,
        "true",
      ]);
      const bytes = await readFile(device);
      expect([bytes.length, bytes[0], bytes[MIB]]).toEqual([8 * MIB, 1, 0]);
      expect((await lab.leftovers()).attachedSnapshots).toEqual([site.snapshotId]);

      expect((await detach(site)).status).toBe(200);
      expect((await client.get(`/vms/${proxy}/diskattachments/${diskId}`)).status).toBe(404);
      expect(await readdir(join(site.directory, "devices"))).toHaveLength(1);
      expect((await client.get(`/vms/${site.web}/diskattachments/${diskId}`)).xml.text("active")).toBe("true");
      expect(await lab.leftovers()).toMatchObject({ attachedSnapshots: [], unattachedDisks: [], scratch: [] });
    });
  },
);

test("what the engine forbids is refused with the reason, and nothing is attached", async () => {
  await withSite({}, async (site) => {
    const { client, proxy, web, diskId, snapshotId } = site;
    const attach = async (vm: string, disk: string, snapshot: string): Promise<readonly unknown[]> => {
      const { status, xml } = await client.post(`/vms/${vm}/diskattachments`, snapshotXml(disk, snapshot));
      return [
        status,
        /already attached|not part|no regular|VirtIO-SCSI is disabled/.exec(xml.text("detail") ?? "")?.[0],
      ];
    };
    const own = site.lab.vms.find(({ name }) => name === "proxy")?.disks[0]?.id ?? "";
    const ownSnapshot = await takeSnapshot(site, proxy);
    const active = (await client.get(`/vms/${web}/snapshots`)).xml
      .children("snapshot")
      .find((snapshot) => snapshot.text("snapshot_type") === "active")
      ?.attribute("id");
    expect(await attach(proxy, own, ownSnapshot)).toEqual([409, "already attached"]);
    expect(await attach(web, diskId, snapshotId)).toEqual([409, "already attached"]);
    expect(await attach(proxy, diskId, ownSnapshot)).toEqual([400, "not part"]);
    expect(await attach(proxy, diskId, active ?? "")).toEqual([400, "no regular"]);
    expect(await attach(vmIdOf(site, "old"), diskId, snapshotId)).toEqual([409, "VirtIO-SCSI is disabled"]);
    const old = await client.get(`/vms/${vmIdOf(site, "old")}?all_content=true`);
    expect(old.xml.text("virtio_scsi", "enabled")).toBe("false");
    const later = await takeSnapshot(site, web);
    expect((await attachSnapshot(site)).status).toBe(201);
    expect(await attach(proxy, diskId, later)).toEqual([409, "already attached"]);
  });
});

test("a disk whose snapshot is attached elsewhere keeps its snapshot, and its machine lives on", async () => {
  await withSite({}, async (site) => {
    const { lab, client, web, proxy, diskId, snapshotId, device } = site;
    await attachSnapshot(site);
    const snapshot = `/vms/${web}/snapshots/${snapshotId}`;
    expect((await client.delete(snapshot)).status).toBe(409);
    await lab.write("web", "0", { offset: 0, length: MIB, kind: "pattern", pattern: 3 });
    const later = await takeSnapshot(site, web);
    expect((await client.delete(`/vms/${web}/snapshots/${later}`)).status).toBe(200);
    await client.untilGone(`/vms/${web}/snapshots/${later}`);
    await lab.powerOff("web", { graceful: true });
    expect((await client.delete(`/vms/${web}`)).status).toBe(409);
    await lab.powerOn("web");
    expect((await readFile(device))[0]).toBe(1);
    expect((await client.get(`/vms/${proxy}?all_content=true`)).text).not.toContain(diskId);
    await takeSnapshot(site, proxy);

    expect((await detach(site)).status).toBe(200);
    expect((await client.delete(snapshot)).status).toBe(200);
    await client.untilGone(snapshot);
    await lab.view(diskId, join(site.directory, "view.raw"));
    expect((await readFile(join(site.directory, "view.raw")))[0]).toBe(3);
  });
});

test("removing the disk by way of a snapshot's attachment is refused, loudly, and neither is lost", async () => {
  await withSite({}, async (site) => {
    const { client, proxy, diskId } = site;
    await attachSnapshot(site);
    const path = `/vms/${proxy}/diskattachments/${diskId}`;
    expect((await client.delete(`${path}?detach_only=false`)).status).toBe(409);
    const [event] = (await client.get("/events")).xml.children("event");
    expect([event?.text("severity"), event?.text("description")]).toEqual([
      "error",
      expect.stringContaining("Cannot remove Virtual Disk"),
    ]);
    expect((await client.get(path)).xml.text("active")).toBe("true");
    expect((await client.get(`/disks/${diskId}`)).xml.text("status")).toBe("ok");
  });
});

test("a disk stays active until its device is closed; it is not detached meanwhile", async () => {
  await withSite({}, async (site) => {
    const { client, proxy, diskId, device } = site;
    await attachSnapshot(site);
    const path = `/vms/${proxy}/diskattachments/${diskId}`;
    const reader = await open(device, "r");
    expect((await client.delete(path)).status).toBe(409);
    expect((await unplug(site)).status).toBe(409);
    expect((await client.get(path)).xml.text("active")).toBe("true");
    await reader.close();
    await client.untilText(path, "active", "false");
    expect((await client.delete(path)).status).toBe(200);
    expect((await client.get(path)).status).toBe(404);
  });
});

test("a new disk is written through its device, and keeps what was written when it is detached", async () => {
  await withSite({}, async (site) => {
    const { lab, client, proxy } = site;
    const made = await client.post(`/vms/${proxy}/diskattachments`, newDiskXml);
    expect(made.status).toBe(202);
    const diskId = made.xml.attribute("id") ?? "";
    const path = join(site.directory, "devices", `virtio-${diskId.slice(0, 20)}`);
    await expect.poll(() => stat(path).then(({ size }) => size, String), { timeout: 20_000 }).toBe(4 * MIB);
    const device = await open(path, "r+");
    await device.write(Buffer.alloc(MIB, 5), 0, MIB, MIB);
    await device.sync();
    await device.close();
    expect((await detach({ ...site, diskId })).status).toBe(200);
    await expect(stat(path)).rejects.toMatchObject({ code: "ENOENT" });
    await lab.view(diskId, join(site.directory, "view.raw"));
    expect((await readFile(join(site.directory, "view.raw")))[MIB]).toBe(5);
    expect((await lab.leftovers()).unattachedDisks).toEqual([diskId]);
  });
});

test("a lab stops though devices are open, and shows them again when it is taken up", async () => {
  await withSite({}, async (site) => {
    await attachSnapshot(site);
    const reader = openSync(site.device, "r");
    await unplug(site);
    await site.lab.stop();
    expect(() => closeSync(reader)).toThrow("ENOTCONN");
    expect(await readdir(join(site.directory, "devices"))).toEqual([]);
    const again = await startLab({ directory: site.directory, delayMs: STEP_MS });
    try {
      expect((await readFile(site.device))[0]).toBe(1);
      expect(again.vms.find(({ name }) => name === "proxy")?.devices).toBe(join(site.directory, "devices"));
    } finally {
      await again.stop();
    }
  });
});

test("device-missing: the attachment is active, its device is not there", async () => {
  await withSite({}, async (site) => {
    await site.lab.fault("device-missing", "once");
    expect((await attachSnapshot(site)).xml.text("active")).toBe("true");
    await expect(stat(site.device)).rejects.toMatchObject({ code: "ENOENT" });
    await detach(site);
    await attachSnapshot(site);
    expect((await stat(site.device)).size).toBe(8 * MIB);
  });
});

test("device-size: the device appears with another size", async () => {
  await withSite({}, async (site) => {
    await site.lab.fault("device-size", "once");
    await attachSnapshot(site);
    expect((await stat(site.device)).size).toBe(9 * MIB);
    expect((await detach(site)).status).toBe(200);
  });
});

test("attach-failure: an existing disk is refused, a new one vanishes while it is waited for", async () => {
  await withSite({}, async (site) => {
    const { lab, client, proxy } = site;
    await lab.fault("attach-failure", "on");
    const attachments = `/vms/${proxy}/diskattachments`;
    expect((await attachSnapshot(site)).status).toBe(409);
    const made = await client.post(attachments, newDiskXml);
    expect(made.status).toBe(202);
    await client.untilGone(`${attachments}/${made.xml.attribute("id")}`);
    await client.untilGone(`/disks/${made.xml.attribute("id")}`);
    expect((await client.get(attachments)).xml.children("disk_attachment")).toHaveLength(1);
    await lab.fault("attach-failure", "off");
    expect((await attachSnapshot(site)).status).toBe(201);
  });
});

test("unplug-hang: the disk stays active until the fault is over", async () => {
  await withSite({}, async (site) => {
    const { lab, client, proxy, diskId } = site;
    await attachSnapshot(site);
    await lab.fault("unplug-hang", "on");
    expect((await unplug(site)).status).toBe(200);
    const path = `/vms/${proxy}/diskattachments/${diskId}`;
    expect((await client.delete(path)).status).toBe(409);
    expect((await client.get(path)).xml.text("active")).toBe("true");
    await lab.fault("unplug-hang", "off");
    await client.untilText(path, "active", "false");
    expect((await client.delete(path)).status).toBe(200);
  });
});

test("detach-failure: detaching is refused, and works when the fault is over", async () => {
  await withSite({}, async (site) => {
    await attachSnapshot(site);
    await site.lab.fault("detach-failure", "once");
    expect((await detach(site)).status).toBe(409);
    expect((await detach(site)).status).toBe(200);
  });
});

test("without a device directory snapshots are attached all the same, and nothing is shown", async () => {
  await withLab({}, async (fixture) => {
    const { client, lab, directory } = fixture;
    const web = vmIdOf(fixture);
    const snapshotId = await takeSnapshot(fixture, web);
    const other = await newVm(client, "other");
    const proxy = other.xml.attribute("id") ?? "";
    await lab.powerOn("other");
    const [diskId] = diskIdsOf(fixture);
    const site = { ...fixture, web, proxy, diskId, snapshotId, device: "" };
    expect((await attachSnapshot(site)).status).toBe(201);
    expect(lab.vms.find(({ id }) => id === proxy)?.disks).toEqual([]);
    expect((await detach(site)).status).toBe(200);
    await expect(readdir(join(directory, "devices"))).rejects.toMatchObject({ code: "ENOENT" });
  });
});
