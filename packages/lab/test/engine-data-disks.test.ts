import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdir, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

import { describe, expect, test } from "vitest";

import { newResource } from "../src/data-domain/sanlock-records.ts";
import { writeVolumeMetadata, type DataVolume } from "../src/data-domain/volume-metadata.ts";
import { startLab } from "../src/index.ts";
import { addDisk, bytesOf, homeDomain, move, settled, startedVm, writeMib } from "./support/data-disks.ts";
import { activeDataDomain, domainPath, intoMaintenance } from "./support/data-site.ts";
import { attach, eventCodes, refusal } from "./support/export-site.ts";
import { MIB } from "./support/lab-fixture.ts";
import { missingForNfsDisks } from "@ovault/test-support/nfs-needs";
import { withNfsSite } from "./support/nfs-site.ts";

const run = promisify(execFile);
const missing = await missingForNfsDisks();

describe.skipIf(missing.length > 0)("disks on an NFS server of others", () => {
  test("a machine runs from an NFS server, and its disk moves away and back while it runs", async () => {
    await withNfsSite({}, async (site) => {
      const { client, lab, staging } = site;
      const domain = await activeDataDomain(site);
      const disk = await addDisk(site, domain, "cow");
      const vm = await startedVm(site, "ir", [disk]);
      await writeMib(site, "ir", 1, 7);
      const images = join(staging, domain, "images", disk);
      const image = (await client.get(`/disks/${disk}`)).xml.text("image_id") ?? "";
      const volume = [image, `${image}.lease`, `${image}.meta`].toSorted();
      expect(await readdir(images)).toEqual(volume);
      expect((await stat(join(images, image))).size).toBeGreaterThan(MIB);

      const snapshot = await client.post(`/vms/${vm}/snapshots`, "<snapshot><description>s</description></snapshot>");
      const snapshotPath = `/vms/${vm}/snapshots/${snapshot.xml.attribute("id")}`;
      await client.untilText(snapshotPath, "snapshot_status", "ok");
      expect(await readdir(images)).toHaveLength(6);
      expect(await readFile(join(images, `${image}.meta`), "utf8")).toContain("VOLTYPE=INTERNAL");
      await client.delete(snapshotPath);
      await client.untilGone(snapshotPath);
      expect(await readdir(images)).toEqual(volume);

      const home = await homeDomain(site);
      expect((await move(site, disk, home)).status).toBe(200);
      expect(await settled(site, disk)).toBe(home);
      await expect(stat(images)).rejects.toThrow("ENOENT");
      expect((await client.get(`/disks/${disk}`)).xml.text("image_id")).toBe(image);
      await writeMib(site, "ir", 3, 8);
      expect(await bytesOf(site, disk)).toEqual([0, 7, 0, 8]);

      await move(site, disk, domain);
      expect(await settled(site, disk)).toBe(domain);
      await writeMib(site, "ir", 0, 9);
      expect(await bytesOf(site, disk)).toEqual([9, 7, 0, 8]);
      const inUse = await client.post(`${await domainPath(site, domain)}/deactivate`);
      expect(refusal(inUse)).toEqual([409, expect.stringContaining("running VMs using this storage domain")]);

      await client.post(`/vms/${vm}/snapshots`, "<snapshot><description>s</description></snapshot>");
      await client.until(`/disks/${disk}`, ({ xml }) => xml.text("image_id") !== image && xml.text("status") === "ok");
      await lab.powerOff("ir", { graceful: true });
      expect(await bytesOf(site, disk)).toEqual([9, 7, 0, 8]);
      await move(site, disk, home); // both volumes
      expect(await settled(site, disk)).toBe(home);
      expect(await bytesOf(site, disk)).toEqual([9, 7, 0, 8]);
      expect(await eventCodes(site)).toEqual(expect.arrayContaining([2008, 2010]));
      expect((await lab.leftovers()).lockedDisks).toEqual([]);
    });
  });

  test("a guest that writes waits for its NFS server, whether that puts calls off, is silent or is gone", async () => {
    await withNfsSite({}, async (site) => {
      const { server } = site;
      const disk = await addDisk(site, await activeDataDomain(site), "raw");
      await startedVm(site, "ir", [disk]);
      for (const [index, disturb] of [
        () => (server.mood = "later"),
        () => (server.mood = "silent"),
        () => server.stop(),
      ].entries()) {
        await disturb();
        let isWritten = false;
        const written = writeMib(site, "ir", index, index + 1).then(() => (isWritten = true));
        await sleep(1500);
        expect(isWritten).toBe(false);
        if (index === 2) await server.start();
        else server.mood = "well";
        await written;
      }
      expect(await bytesOf(site, disk)).toEqual([1, 2, 3, 0]);
      expect(site.lab.dataDomains[0]?.status).toBe("active");
      await expect.poll(() => site.lab.dataDomains[0]?.renewals?.late, { timeout: 5000 }).toBeGreaterThan(0);
    });
  });

  test(
    "a domain whose lease cannot be renewed for ten seconds is inactive until it can",
    { timeout: 40_000 },
    async () => {
      await withNfsSite({}, async (site) => {
        const path = await domainPath(site, await activeDataDomain(site));
        site.server.mood = "silent";
        const beganAt = performance.now();
        await expect.poll(() => site.lab.dataDomains[0]?.status, { timeout: 20_000 }).toBe("inactive");
        expect(performance.now() - beganAt).toBeGreaterThan(9000);
        expect((await site.client.get(path)).xml.text("status")).toBe("inactive");
        site.server.mood = "well";
        await site.client.untilText(path, "status", "active");
        expect(site.lab.dataDomains[0]?.renewals?.longestMs).toBeGreaterThan(9000);
        expect(await eventCodes(site)).toContain(970);
      });
    },
  );

  test("disks that others have put there are found, checked, registered and run", async () => {
    await withNfsSite({}, async (site) => {
      const { client, lab, staging } = site;
      const domain = await activeDataDomain(site);
      const raw = await putDisk(staging, domain, { format: "raw" });
      const cow = await putDisk(staging, domain, { format: "cow" });
      const illegal = await putDisk(staging, domain, { isLegal: false });
      const short = await putDisk(staging, domain, { virtualBytes: 8 * MIB });
      const noLease = await putDisk(staging, domain, {});
      await rm(join(staging, domain, "images", noLease.diskId, `${noLease.volumeId}.lease`));
      const orphan = await putDisk(staging, domain, { parentId: randomUUID() });
      const list = `/storagedomains/${domain}/disks`;
      const listed = (await client.get(`${list}?unregistered=true`)).xml.children("disk");
      expect(listed.map((one) => one.attribute("id")).toSorted()).toEqual(
        [raw, cow, illegal, short, noLease].map(({ diskId }) => diskId).toSorted(),
      );
      expect((await client.get(`${list};unregistered`)).xml.children("disk")).toHaveLength(5);
      const register = (diskId: string) => client.post(`${list}?unregistered=true`, `<disk id="${diskId}"/>`);
      for (const [{ diskId }, why] of [
        [illegal, "illegal"],
        [short, "where its metadata has"],
        [noLease, "has no lease"],
      ] as const) {
        expect(refusal(await register(diskId))).toEqual([400, expect.stringContaining(why)]);
      }
      expect((await register(orphan.diskId)).status).toBe(404);
      const made = await register(raw.diskId);
      expect([made.status, made.xml.text("alias"), made.xml.integer("provisioned_size")]).toEqual([
        201,
        "web_Disk1",
        4 * MIB,
      ]);
      expect((await register(raw.diskId)).status).toBe(409);
      expect((await client.post(`${await domainPath(site, domain)}/disks/${cow.diskId}/register`)).status).toBe(200);

      await startedVm(site, "ir", [raw.diskId]);
      await writeMib(site, "ir", 2, 9);
      expect(await bytesOf(site, raw.diskId)).toEqual([5, 0, 9, 0]);
      expect(await bytesOf(site, cow.diskId)).toEqual([5, 0, 0, 0]);

      await lab.powerOff("ir", { graceful: true });
      await intoMaintenance(site, domain);
      expect((await client.get(`/disks/${raw.diskId}`)).status).toBe(200);
      expect((await client.delete(await domainPath(site, domain))).status).toBe(200);
      expect([(await client.get(`/disks/${raw.diskId}`)).status, lab.vms.map(({ name }) => name)]).toEqual([
        404,
        ["web"],
      ]);
      expect((await attach(site, domain)).status).toBe(201);
      await client.untilText(await domainPath(site, domain), "status", "active");
      expect((await client.get(`${list}?unregistered=true`)).xml.children("disk")).toHaveLength(5);
    });
  });

  test("a machine comes back from the OVF stores of its domain, with its disks or without those that are missing", async () => {
    await withNfsSite({}, async (site) => {
      const { client, lab, staging } = site;
      const domain = await activeDataDomain(site);
      const disks = [await addDisk(site, domain, "cow"), await addDisk(site, domain, "raw")];
      const [first = "", second = ""] = disks;
      const vm = await startedVm(site, "ir", disks);
      await lab.write("ir", "d-cow", { kind: "pattern", pattern: 3, offset: 0, length: MIB });
      await lab.powerOff("ir", { graceful: true });
      await intoMaintenance(site, domain);
      expect((await client.delete(await domainPath(site, domain))).status).toBe(200);
      expect((await client.get(`/vms/${vm}`)).status).toBe(404);
      await attach(site, domain);
      await client.untilText(await domainPath(site, domain), "status", "active");

      const list = `/storagedomains/${domain}/vms`;
      const listed = (await client.get(`${list}?unregistered=true`)).xml.children("vm");
      expect(listed.map((one) => [one.attribute("id"), one.text("name")])).toEqual([[vm, "ir"]]);
      await rm(join(staging, domain, "images", second), { recursive: true });
      const register = (elements: string) =>
        client.post(`${list}/${vm}/register`, `<action><cluster><name>Default</name></cluster>${elements}</action>`);
      expect(refusal(await register(""))).toEqual([409, expect.stringContaining(second)]);
      const partial = "<allow_partial_import>true</allow_partial_import>";
      expect((await register(`${partial}<vm><name>web</name></vm>`)).status).toBe(409);
      expect((await register(`${partial}<vm><name>again</name></vm>`)).status).toBe(200);
      expect((await register(partial)).status).toBe(404); // it is registered
      const attached = (await client.get(`/vms/${vm}/diskattachments`)).xml.children("disk_attachment");
      expect(attached.map((one) => one.attribute("id"))).toEqual([first]);
      await lab.powerOn("again");
      expect(await bytesOf(site, first)).toEqual([3, 0, 0, 0]);
    });
  });

  test("a domain whose server has stopped to answer goes into maintenance, and is only forgotten", async () => {
    await withNfsSite({}, async (site) => {
      const { client, server } = site;
      const domain = await activeDataDomain(site);
      const disk = await addDisk(site, domain, "cow");
      const path = await domainPath(site, domain);
      await server.stop();
      await client.post(`${path}/deactivate`);
      await client.untilText(path, "status", "maintenance");
      for (const refused of [await client.post(`${path}/activate`), await client.delete(path)]) {
        expect(refusal(refused)).toEqual([409, expect.stringContaining("inaccessible")]);
      }
      expect((await client.get(`/disks/${disk}`)).xml.integer("provisioned_size")).toBe(4 * MIB);
      expect((await client.delete(`/storagedomains/${domain}?destroy=true`)).status).toBe(200);
      expect([(await client.get(`/disks/${disk}`)).status, site.lab.dataDomains]).toEqual([404, []]);
      await server.start();
    });
  });

  test("a move that fails leaves the machine running, and another one succeeds", async () => {
    await withNfsSite({}, async (site) => {
      const { client, lab, server } = site;
      const [domain, home] = [await activeDataDomain(site), await homeDomain(site)];
      const disk = await addDisk(site, domain, "cow");
      const vm = await startedVm(site, "ir", [disk]);
      await writeMib(site, "ir", 0, 1);
      const snapshots = async () => (await client.get(`/vms/${vm}/snapshots`)).xml.children("snapshot");
      const removeSnapshots = async (): Promise<void> => {
        const auto = (await snapshots()).find((one) => one.text("description")?.startsWith("Auto-generated for Live"));
        const path = `/vms/${vm}/snapshots/${auto?.attribute("id")}`;
        expect((await client.delete(path)).status).toBe(200);
        await client.untilGone(path);
      };
      for (const fault of ["move-failure", "move-no-space"]) {
        await lab.fault(fault, "once");
        expect((await move(site, disk, home)).status).toBe(200);
        expect(await settled(site, disk)).toBe(domain);
        await writeMib(site, "ir", 1, 2);
        expect(await bytesOf(site, disk)).toEqual([1, 2, 0, 0]);
        expect(await eventCodes(site)).toContain(2011);
        await removeSnapshots();
      }
      await lab.fault("move-snapshot-stays", "once");
      await move(site, disk, home);
      expect(await settled(site, disk)).toBe(home);
      await removeSnapshots();

      server.mood = "full"; // the target really is
      await move(site, disk, domain);
      expect(await settled(site, disk)).toBe(home);
      server.mood = "well";
      await removeSnapshots();
      await writeMib(site, "ir", 2, 3);
      await lab.fault("engine-restart", "on");
      await lab.fault("engine-restart", "off");
      await move(site, disk, domain);
      expect(await settled(site, disk)).toBe(domain);
      expect(await bytesOf(site, disk)).toEqual([1, 2, 3, 0]);
      expect(await lab.leftovers()).toMatchObject({ lockedDisks: [], snapshots: [] });
    });
  });

  test("moves of one machine run one after the other, and are refused where an engine refuses them", async () => {
    await withNfsSite({}, async (site) => {
      const { client, lab } = site;
      const [domain, home] = [await activeDataDomain(site), await homeDomain(site)];
      const disks = [await addDisk(site, domain, "cow"), await addDisk(site, domain, "raw", false)];
      const [first = "", second = ""] = disks;
      const image = (await client.get(`/disks/${second}`)).xml.text("image_id") ?? "";
      const allocated = await stat(join(site.staging, domain, "images", second, image));
      expect(allocated.blocks * 512).toBeGreaterThanOrEqual(4 * MIB);
      const vm = await startedVm(site, "ir", disks);
      expect(refusal(await move(site, first, domain))).toEqual([409, expect.stringContaining("must be different")]);
      expect((await move(site, first, randomUUID())).status).toBe(404);
      await lab.fault("move-hang", "on");
      expect((await move(site, first, home)).status).toBe(200);
      expect((await move(site, second, home)).status).toBe(200);
      expect((await move(site, second, home)).status).toBe(409); // it is locked
      const snapshot = "<snapshot><description>s</description></snapshot>";
      expect((await client.post(`/vms/${vm}/snapshots`, snapshot)).status).toBe(409);
      await lab.write("ir", "d-cow", { kind: "pattern", pattern: 4, offset: MIB, length: MIB }); // while it is mirrored
      await lab.fault("engine-restart", "on");
      await lab.fault("move-hang", "off");
      await lab.fault("engine-restart", "off");
      expect([await settled(site, first), await settled(site, second)]).toEqual([home, home]);
      expect(await bytesOf(site, first)).toEqual([0, 4, 0, 0]);
      const jobs = (await client.get("/jobs")).xml.children("job");
      const moves = jobs.filter((job) => job.text("description")?.startsWith("Migrating Disk"));
      expect(moves.map((job) => job.text("status"))).toEqual(["finished", "finished"]);
    });
  });

  test("a lab that starts again joins its domains, whose machines run on", async () => {
    await withNfsSite({}, async (site) => {
      const disk = await addDisk(site, await activeDataDomain(site), "cow");
      await startedVm(site, "ir", [disk]);
      await writeMib(site, "ir", 1, 6);
      await site.lab.stop();
      const lab = await startLab({ directory: site.directory, delayMs: 20 });
      try {
        expect(lab.vms.map(({ name, status }) => [name, status])).toContainEqual(["ir", "up"]);
        expect(lab.dataDomains[0]?.status).toBe("active");
        await expect.poll(() => lab.dataDomains[0]?.renewals?.renewed).toBeGreaterThan(0);
        expect(await bytesOf({ ...site, lab }, disk)).toEqual([0, 6, 0, 0]);
      } finally {
        await lab.stop();
      }
      await site.server.stop();
      const without = await startLab({ directory: site.directory, delayMs: 20 });
      try {
        expect(without.vms.map(({ name, status }) => [name, status])).toContainEqual(["ir", "down"]);
        await site.server.start();
        await without.powerOn("ir");
        await without.write("ir", "0", { kind: "pattern", pattern: 5, offset: 0, length: MIB });
        expect(await bytesOf({ ...site, lab: without }, disk)).toEqual([5, 6, 0, 0]);
      } finally {
        await without.stop();
      }
    });
  });
});

/** Puts a raw or QCOW2 disk of 4 MiB, with fives in its first MiB, on a domain as a program beside the engine would. */
async function putDisk(staging: string, domainId: string, changes: Partial<DataVolume>): Promise<DataVolume> {
  const volume: DataVolume = {
    diskId: randomUUID(),
    volumeId: randomUUID(),
    domainId,
    parentId: undefined,
    format: "raw",
    sparse: true,
    virtualBytes: 4 * MIB,
    description: '{"DiskAlias":"web_Disk1","DiskDescription":""}',
    isLeaf: true,
    isLegal: true,
    type: "DATA",
    ...changes,
  };
  const directory = join(staging, domainId, "images", volume.diskId);
  const path = join(directory, volume.volumeId);
  await mkdir(directory);
  const format = volume.format === "raw" ? "raw" : "qcow2";
  await run("qemu-img", ["create", "-q", "-f", format, path, String(4 * MIB)]);
  await run("qemu-io", ["-f", format, "-c", "write -P 5 0 1M", path]);
  await writeFile(`${path}.meta`, writeVolumeMetadata(volume, 5));
  await writeFile(`${path}.lease`, newResource(domainId, volume.volumeId));
  return volume;
}
