import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { expect, test } from "vitest";

import { diskIdsOf, openTransfer, vmIdOf } from "./support/backup-steps.ts";
import { MIB, runQemuIo, withImages, withLab, type LabFixture } from "./support/lab-fixture.ts";

async function newDisk({ client }: LabFixture, format: "cow" | "raw", bytes: number): Promise<string> {
  const body = `<disk><provisioned_size>${bytes}</provisioned_size><name>new</name><format>${format}</format></disk>`;
  const made = await client.post("/disks", body);
  expect([made.status, made.xml.text("status")]).toEqual([202, "locked"]);
  const id = made.xml.attribute("id") ?? "";
  await client.untilText(`/disks/${id}`, "status", "ok");
  return id;
}

const uploadXml = (diskId: string): string => `<disk id="${diskId}"/><direction>upload</direction><format>raw</format>`;

test.each(["cow", "raw"] as const)("what is uploaded to a %s disk is what a machine then has", async (format) => {
  await withLab({ vms: [] }, async (fixture) => {
    const { client, lab } = fixture;
    const diskId = await newDisk(fixture, format, MIB);
    const transfer = await openTransfer(fixture, uploadXml(diskId));
    expect((await client.get(`/disks/${diskId}`)).xml.text("status")).toBe("locked");
    const body = Buffer.alloc(MIB, 0x5a);
    const put = await client.raw("PUT", transfer.url, {
      body,
      headers: { "content-type": "application/octet-stream" },
    });
    expect(put.status).toBe(200);
    await client.post(`${transfer.path}/finalize`);
    await client.untilText(transfer.path, "phase", "finished_success");
    const read = await openTransfer(
      fixture,
      `<disk id="${diskId}"/><direction>download</direction><format>raw</format>`,
    );
    expect((await client.download(read.url)).equals(body)).toBe(true);
    await client.post(`${read.path}/finalize`);
    await client.untilText(read.path, "phase", "finished_success");
    expect(await lab.leftovers()).toMatchObject({ transfers: [], lockedDisks: [], unattachedDisks: [diskId] });
  });
});

test("without a format the file itself is transferred: a qcow2 file goes up, and comes down as it lies there", async () => {
  await withLab({ vms: [] }, async (fixture) => {
    await withImages(async ({ cow }) => {
      const { client, lab, directory } = fixture;
      const diskId = await newDisk(fixture, "cow", 8 * MIB);
      const upload = await openTransfer(fixture, `<disk id="${diskId}"/>`);
      await runQemuIo(cow, "write -P 7 1M 64k");
      const body = await readFile(cow);
      const headers = { "content-type": "application/octet-stream" };
      expect((await client.raw("PUT", upload.url, { body, headers })).status).toBe(200);
      await client.post(`${upload.path}/finalize`);
      await client.untilText(upload.path, "phase", "finished_success");
      await lab.view(diskId, join(directory, "view.raw"));
      expect((await readFile(join(directory, "view.raw")))[MIB]).toBe(7);
      const download = await openTransfer(fixture, `<disk id="${diskId}"/><direction>download</direction>`);
      const file = await client.download(download.url);
      expect(file.subarray(0, body.length).equals(body)).toBe(true);
    });
  });
});

test("a download that got every byte is finalized by the engine itself", async () => {
  await withLab({ vms: [] }, async (fixture) => {
    const { client } = fixture;
    const diskId = await newDisk(fixture, "cow", MIB);
    const xml = `<disk id="${diskId}"/><direction>download</direction><format>raw</format>`;
    const { path, url } = await openTransfer(fixture, xml);
    await client.download(url);
    const finished = await client.untilText(path, "phase", "finished_success");
    expect(finished.xml.integer("transferred")).toBe(MIB);
    expect((await client.get(`/disks/${diskId}`)).xml.text("status")).toBe("ok");
  });
});

test("a cancelled upload takes its disk with it, a cancelled download does not", async () => {
  await withLab({ vms: [] }, async (fixture) => {
    const { client } = fixture;
    const [uploaded, downloaded] = [await newDisk(fixture, "cow", MIB), await newDisk(fixture, "cow", MIB)];
    const upload = await openTransfer(fixture, uploadXml(uploaded));
    const download = await openTransfer(fixture, `<disk id="${downloaded}"/><direction>download</direction>`);
    for (const { path } of [upload, download]) {
      expect((await client.post(`${path}/cancel`)).status).toBe(200);
      await client.untilText(path, "phase", "finished_failure");
    }
    await client.untilGone(`/disks/${uploaded}`);
    expect((await client.get(`/disks/${downloaded}`)).xml.text("status")).toBe("ok");
  });
});

test("a disk is transferred once at a time, and not while its machine runs", async () => {
  await withLab({}, async (fixture) => {
    const { client, lab } = fixture;
    const [diskId] = diskIdsOf(fixture);
    const download = `<image_transfer><disk id="${diskId}"/><direction>download</direction><format>raw</format></image_transfer>`;
    expect((await client.post("/imagetransfers", download)).status).toBe(409);
    await lab.powerOff("web", { graceful: true });
    expect((await client.post("/imagetransfers", download)).status).toBe(201);
    expect((await client.post("/imagetransfers", download)).status).toBe(409);
    expect((await client.post("/imagetransfers", "<image_transfer/>")).status).toBe(400);
  });
});

test("an upload can be paused and resumed, a download cannot", async () => {
  await withLab({ vms: [] }, async (fixture) => {
    const { client } = fixture;
    const upload = await openTransfer(fixture, uploadXml(await newDisk(fixture, "cow", MIB)));
    expect((await client.post(`${upload.path}/resume`)).status).toBe(409);
    await client.post(`${upload.path}/pause`);
    const paused = await client.untilText(upload.path, "phase", "paused_user");
    expect(paused.xml.text("transfer_url")).toBeUndefined();
    await client.post(`${upload.path}/resume`);
    const resumed = await client.untilText(upload.path, "phase", "transferring");
    expect(resumed.xml.text("transfer_url")).toBeDefined();
    const other = await newDisk(fixture, "cow", MIB);
    const download = await openTransfer(fixture, `<disk id="${other}"/><direction>download</direction>`);
    expect((await client.post(`${download.path}/pause`)).status).toBe(400);
  });
});

test("an idle transfer is ended after its time: uploads pause, downloads are cancelled", async () => {
  await withLab({ vms: [] }, async (fixture) => {
    const { client } = fixture;
    const [first, second] = [await newDisk(fixture, "cow", MIB), await newDisk(fixture, "cow", MIB)];
    const short = "<inactivity_timeout>1</inactivity_timeout>";
    const upload = await openTransfer(fixture, `${uploadXml(first)}${short}`);
    const download = await openTransfer(fixture, `<disk id="${second}"/><direction>download</direction>${short}`);
    await client.untilText(upload.path, "phase", "paused_system");
    await client.untilText(download.path, "phase", "finished_failure");
    expect((await client.get(`/disks/${second}`)).xml.text("status")).toBe("ok");
    expect((await client.post(`${upload.path}/cancel`)).status).toBe(200);
    await client.untilGone(`/disks/${first}`);
  });
});

test("a snapshot's volume is downloaded while the machine runs, and survives the merge under the snapshot above", async () => {
  await withLab({}, async (fixture) => {
    const { lab, client } = fixture;
    const path = `/vms/${vmIdOf(fixture)}/snapshots`;
    const [diskId] = diskIdsOf(fixture);
    const take = async (): Promise<string> => {
      const body = `<snapshot><description>s</description><persist_memorystate>false</persist_memorystate><disk_attachments><disk_attachment><disk id="${diskId}"/></disk_attachment></disk_attachments></snapshot>`;
      const made = await client.post(path, body);
      expect([made.status, made.xml.text("snapshot_status")]).toEqual([202, "locked"]);
      const id = made.xml.attribute("id") ?? "";
      await client.untilText(`${path}/${id}`, "snapshot_status", "ok");
      await client.untilText(`/disks/${diskId}`, "status", "ok");
      return id;
    };
    const volumeOf = async (snapshot: string): Promise<string | undefined> =>
      (await client.get(`${path}/${snapshot}/disks`)).xml.text("disk", "image_id");
    await lab.write("web", "0", { offset: 0, length: 65_536, kind: "pattern", pattern: 1 });
    const first = await take();
    await lab.write("web", "0", { offset: MIB, length: 65_536, kind: "pattern", pattern: 2 });
    const second = await take();
    const [lower, upper] = [await volumeOf(first), await volumeOf(second)];
    await lab.write("web", "0", { offset: 0, length: 65_536, kind: "pattern", pattern: 3 });

    const whole = await openTransfer(
      fixture,
      `<snapshot id="${upper}"/><direction>download</direction><format>raw</format>`,
    );
    const bytes = await client.download(whole.url);
    expect([bytes.length, bytes[0], bytes[MIB]]).toEqual([8 * MIB, 1, 2]);
    expect((await client.delete(`${path}/${second}`)).status).toBe(409);
    await client.post(`${whole.path}/finalize`);
    await client.untilText(whole.path, "phase", "finished_success");

    expect((await client.delete(`${path}/${first}`)).status).toBe(200);
    await client.untilGone(`${path}/${first}`);
    expect(await volumeOf(second)).toBe(lower);
    expect((await client.get(path)).xml.children("snapshot")).toHaveLength(2);
    expect((await client.delete(`${path}/${second}`)).status).toBe(200);
    await client.untilGone(`${path}/${second}`);
    expect((await client.get(`/disks/${diskId}`)).xml.text("image_id")).toBe(lower);
  });
});
