import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { expect, test, vi } from "vitest";
import { parse } from "yaml";

import { connectLab, labConfiguration, startLab, writeLabConfiguration } from "../src/index.ts";
import { backupXml, diskIdsOf, openBackup, takeBackup, vmIdOf } from "./support/backup-steps.ts";
import { EngineClient } from "./support/engine-client.ts";
import { MIB, STEP_MS, withImages, withLab } from "./support/lab-fixture.ts";

test("a lab taken up again is the same lab: address, password, machines, data, checkpoints", async () => {
  await withImages(async ({ directory, cow, raw }) => {
    const path = join(directory, "lab");
    const options = { directory: path, vms: [{ name: "web", images: [cow, raw] }], delayMs: STEP_MS };
    const first = await startLab(options);
    const client = await EngineClient.open(first);
    const fixture = { lab: first, client, directory: path };
    await first.write("web", "0", { offset: 0, length: MIB, kind: "pattern", pattern: 9 });
    const [diskId] = diskIdsOf(fixture);
    const checkpoint = await takeBackup(fixture, [diskId]);
    await openBackup(fixture, [diskId], checkpoint);
    await client.close();
    await first.stop();

    const second = await startLab(options);
    const secondClient = await EngineClient.open(second);
    try {
      expect([second.url, second.password, second.caFingerprint]).toEqual([
        first.url,
        first.password,
        first.caFingerprint,
      ]);
      expect(second.vms).toMatchObject([{ name: "web", status: "up", disks: [{ id: diskId }, { format: "raw" }] }]);
      await second.view(diskId, join(directory, "view.raw"));
      expect((await readFile(join(directory, "view.raw")))[MIB - 1]).toBe(9);
      expect(await second.leftovers()).toMatchObject({ backups: [], lockedDisks: [], checkpoints: [checkpoint] });
      const increment = await openBackup({ ...fixture, lab: second, client: secondClient }, [diskId], checkpoint);
      expect((await secondClient.get(`${increment.path}/disks`)).xml.text("disk", "backup_mode")).toBe("incremental");
      await expect(startLab({ ...options, engineVersion: "4.3" })).rejects.toMatchObject({ code: "E_USAGE" });
    } finally {
      await secondClient.close();
      await second.stop();
    }
    await expect(startLab({ ...options, engineVersion: "4.3" })).rejects.toMatchObject({ code: "E_CONFIGURATION" });
  });
});

test("a killed lab is taken up like one that was stopped: what was under way has failed, the data is there", async () => {
  await withImages(async ({ directory, cow, raw }) => {
    const path = join(directory, "lab");
    const script = join(import.meta.dirname, "support/lab-process.ts");
    const child = spawn(process.execPath, [script, path, cow, raw], { stdio: ["ignore", "pipe", "inherit"] });
    const [line]: readonly Buffer[] = await once(child.stdout, "data");
    const target = {
      url: String(line).trim(),
      user: "admin@internal",
      password: await readFile(join(path, "lab-password"), "utf8"),
      caFile: join(path, "ca.pem"),
    };
    const client = await EngineClient.open(target);
    const control = connectLab(path);
    await control.write("web", "0", { offset: 0, length: 512, kind: "pattern", pattern: 9 });
    const [vm] = (await control.status()).vms;
    const diskId = vm?.disks[0]?.id ?? "";
    const backups = `/vms/${vm?.id}/backups`;
    const started = await client.post(backups, backupXml([diskId]));
    await client.untilText(`${backups}/${started.xml.attribute("id")}`, "phase", "ready");
    await client.close();
    child.kill("SIGKILL");
    await once(child, "exit");

    const lab = await startLab({ directory: path, delayMs: STEP_MS });
    try {
      expect(lab.vms).toMatchObject([{ name: "web", status: "up" }]);
      expect(await lab.leftovers()).toMatchObject({ backups: [], lockedDisks: [], checkpoints: [], scratch: [] });
      await lab.view(diskId, join(directory, "view.raw"));
      expect((await readFile(join(directory, "view.raw")))[0]).toBe(9);
    } finally {
      await lab.stop();
    }
  });
});

test("images that cannot be read, names that come twice and ports that are taken are refused before anything runs", async () => {
  await withImages(async ({ directory, cow }) => {
    const path = join(directory, "lab");
    const missing = startLab({ directory: path, vms: [{ name: "a", images: [cow, join(directory, "none")] }] });
    await expect(missing).rejects.toMatchObject({ code: "E_USAGE" });
    const vm = { name: "a", images: [cow] };
    await expect(startLab({ directory: path, vms: [vm, vm] })).rejects.toMatchObject({ code: "E_USAGE" });
    const lab = await startLab({ directory: path, vms: [vm] });
    const port = Number(new URL(lab.url).port);
    const second = startLab({ directory: join(directory, "other"), port });
    await expect(second).rejects.toMatchObject({ code: "E_USAGE", message: `port ${port} is in use` });
    await lab.stop();
  });
});

test("a disk made by attaching it is plugged as soon as it is there", async () => {
  await withLab({}, async (fixture) => {
    const { client, lab } = fixture;
    const vm = `/vms/${vmIdOf(fixture)}`;
    const made = await client.post(
      `${vm}/diskattachments`,
      "<disk_attachment><active>true</active><disk><name>hot</name><format>cow</format><provisioned_size>1048576</provisioned_size></disk><interface>virtio</interface></disk_attachment>",
    );
    const diskId = made.xml.attribute("id") ?? "";
    await client.untilText(`/disks/${diskId}`, "status", "ok");
    await vi.waitFor(() => lab.write("web", "hot", { offset: 0, length: 512, kind: "pattern", pattern: 1 }));
    const unplug = "<disk_attachment><active>false</active></disk_attachment>";
    const unplugged = await client.call("PUT", `${vm}/diskattachments/${diskId}`, unplug);
    expect(unplugged.status).toBe(200);
    await client.untilText(`${vm}/diskattachments/${diskId}`, "active", "false");
    expect((await client.delete(`${vm}/diskattachments/${diskId}`)).status).toBe(200);
    expect((await lab.leftovers()).unattachedDisks).toEqual([diskId]);
  });
});

test("another process can do through the socket what this one can do to the lab", async () => {
  await withLab({}, async (fixture) => {
    const { lab, directory } = fixture;
    const control = connectLab(directory);
    expect(await control.status()).toMatchObject({ url: lab.url, engineVersion: "4.5", vms: [{ name: "web" }] });
    await control.write("web", "web_Disk1", { offset: 512, length: 512, kind: "pattern", pattern: 3 });
    const view = join(directory, "view.raw");
    await control.view("web_Disk1", view);
    expect([...(await readFile(view)).subarray(511, 514)]).toEqual([0, 3, 3]);
    const added = await control.addDisk("web", { alias: "more", virtualBytes: MIB, format: "cow" });
    expect(await control.resizeDisk("web", "more", 2 * MIB)).toMatchObject({ id: added.id, virtualBytes: 2 * MIB });
    // The boot disk is 0; of the others "more" comes before "web_Disk2".
    await control.write("web", "1", { offset: 2 * MIB - 512, length: 512, kind: "random", seed: "x" });
    expect((await control.status()).vms[0]?.disks.map(({ alias }) => alias).slice(0, 2)).toEqual(["web_Disk1", "more"]);
    await control.removeDisk("web", "more");
    await fixture.client.untilGone(`/disks/${added.id}`);
    await control.fault("slow-extents", "on");
    expect((await control.status()).faults).toMatchObject([{ name: "slow-extents", mode: "on" }]);
    await control.powerOff("web", { graceful: true });
    await expect(control.write("web", "0", { offset: 0, length: 512, kind: "zero" })).rejects.toMatchObject({
      code: "E_USAGE",
    });
    await expect(control.write("no", "0", { offset: 0, length: 512, kind: "zero" })).rejects.toMatchObject({
      code: "E_NOT_FOUND",
      hint: "VMs: web.",
    });
    await control.stop();
    await lab.ended;
    await expect(control.status()).rejects.toMatchObject({ code: "E_USAGE" });
  });
});

test("the configuration is ready to use, private, and keeps what people change in it", async () => {
  await withLab({ vms: [] }, async ({ lab, directory }) => {
    const file = await writeLabConfiguration(lab);
    const text = await readFile(file, "utf8");
    expect(parse(text)).toEqual(labConfiguration(lab));
    expect(text).not.toContain(lab.password);
    for (const name of ["ovault.yaml", "lab-password", "lab.json", "engine.json"]) {
      expect([name, (await stat(join(directory, name))).mode & 0o777]).toEqual([name, 0o600]);
    }
    expect(await readFile(join(directory, "lab-password"), "utf8")).toBe(lab.password);
    await writeFile(file, `# mine\n${text}policies: {}\n`.replace(lab.url, "https://127.0.0.1:1/ovirt-engine/api"));
    await writeLabConfiguration(lab);
    const kept = await readFile(file, "utf8");
    expect(kept).toContain("# mine");
    expect(parse(kept)).toEqual({ ...labConfiguration(lab), policies: {} });
  });
});

test("an abort stops the lab, and one lab at a time runs on a directory", async () => {
  await withImages(async ({ directory }) => {
    const abort = new AbortController();
    const path = join(directory, "lab");
    const lab = await startLab({ directory: path, signal: abort.signal });
    await expect(startLab({ directory: path })).rejects.toMatchObject({ code: "E_USAGE" });
    abort.abort();
    await lab.ended;
    const again = await startLab({ directory: path });
    await again.stop();
  });
});

test("a machine made from an OVF has its disks attached as far as they are free, and new ids and addresses", async () => {
  await withLab({}, async (fixture) => {
    const { client, lab } = fixture;
    const { xml } = await client.get(`/vms/${vmIdOf(fixture)}?all_content=true`);
    const ovf = (xml.text("initialization", "configuration", "data") ?? "")
      .replaceAll("&", "&amp;")
      .replaceAll("<", "&lt;");
    const made = await client.post(
      "/vms",
      `<vm><initialization><configuration><data>${ovf}</data><type>ovf</type></configuration><regenerate_ids>true</regenerate_ids></initialization><name>copy</name><cluster><name>Default</name></cluster></vm>`,
    );
    expect([made.status, made.xml.text("status")]).toEqual([201, "down"]);
    const copy = made.xml.attribute("id") ?? "";
    expect((await client.get(`/vms/${copy}/diskattachments`)).xml.children("disk_attachment")).toEqual([]);
    const macs = await Promise.all(
      [copy, vmIdOf(fixture)].map(async (id) =>
        (await client.get(`/vms/${id}/nics`)).xml.text("nic", "mac", "address"),
      ),
    );
    expect(new Set(macs).size).toBe(2);
    expect((await lab.leftovers()).vms).toEqual(["copy"]);
    const disk = await client.post(
      "/disks",
      "<disk><format>cow</format><provisioned_size>1048576</provisioned_size></disk>",
    );
    const diskId = disk.xml.attribute("id") ?? "";
    await client.untilText(`/disks/${diskId}`, "status", "ok");
    const attached = await client.post(
      `/vms/${copy}/diskattachments`,
      `<disk_attachment><interface>virtio</interface><disk id="${diskId}"/><active>true</active></disk_attachment>`,
    );
    expect(attached.status).toBe(201);
    expect((await client.post(`/vms/${copy}/start`)).xml.text("status")).toBe("complete");
    await client.untilText(`/vms/${copy}`, "status", "up");
    expect((await client.delete(`/vms/${copy}`)).status).toBe(409);
    await client.post(`/vms/${copy}/shutdown`);
    await client.untilText(`/vms/${copy}`, "status", "down");
    expect((await client.delete(`/vms/${copy}`)).status).toBe(200);
    await client.untilGone(`/vms/${copy}`);
    await client.untilGone(`/disks/${diskId}`);
  });
});

test("a name that several have is refused with all of them, and how to tell them apart", async () => {
  await withLab({}, async ({ lab, directory }) => {
    const twins = [];
    for (const format of ["cow", "raw"] as const) {
      twins.push(await lab.addDisk("web", { alias: "twin", virtualBytes: MIB, format }));
    }
    const [first, second] = twins;
    const indexes = lab.vms[0]?.disks.flatMap(({ alias }, index) => (alias === "twin" ? index : [])) ?? [];
    const write = { offset: 0, length: 512, kind: "pattern", pattern: 1 } as const;
    await expect(lab.write("web", "twin", write)).rejects.toMatchObject({
      code: "E_USAGE",
      message: "VM web has 2 disks named twin",
      hint: `Use an id: ${first?.id} (index ${indexes[0]}, cow), ${second?.id} (index ${indexes[1]}, raw).`,
    });
    await expect(connectLab(directory).view("twin", join(directory, "view.raw"))).rejects.toMatchObject({
      code: "E_USAGE",
      message: "the lab has 2 disks named twin",
      hint: `Use an id: ${first?.id} (index ${indexes[0]} of web), ${second?.id} (index ${indexes[1]} of web).`,
    });
    await lab.write("web", String(indexes[1]), write);
    await lab.view(second?.id ?? "", join(directory, "view.raw"));
    expect((await readFile(join(directory, "view.raw")))[0]).toBe(1);
  });
});

test("a write beyond the end of a disk, and a view into no directory, are refused as what they are", async () => {
  await withLab({}, async ({ lab, directory }) => {
    const write = { offset: 8 * MIB - 512, length: 1024, kind: "pattern", pattern: 1 } as const;
    await expect(lab.write("web", "0", write)).rejects.toMatchObject({
      code: "E_USAGE",
      message: `disk web_Disk1 ends at ${8 * MIB} bytes, before the end of the write`,
    });
    const viewed = lab.view("web_Disk1", join(directory, "none", "view.raw"));
    await expect(viewed).rejects.toMatchObject({ code: "E_USAGE", message: expect.stringContaining("no directory") });
  });
});
