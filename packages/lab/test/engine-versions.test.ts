import { expect, test } from "vitest";

import { backupXml, diskIdsOf, openBackup, openTransfer, takeBackup, vmIdOf } from "./support/backup-steps.ts";
import { withLab } from "./support/lab-fixture.ts";

test("4.3 knows no backups, and gives transfers a signed ticket", async () => {
  await withLab({ engineVersion: "4.3" }, async (fixture) => {
    const { lab, client } = fixture;
    const vm = `/vms/${vmIdOf(fixture)}`;
    const [diskId] = diskIdsOf(fixture);
    expect((await client.get("")).xml.text("product_info", "version", "full_version")).toBe("4.3.10.4-1.el7");
    expect((await client.post(`${vm}/backups`, backupXml([diskId]))).status).toBe(404);
    expect((await client.get(`${vm}/checkpoints`)).status).toBe(404);
    await lab.powerOff("web", { graceful: true });
    const transfer = await openTransfer(
      fixture,
      `<disk id="${diskId}"/><direction>download</direction><format>raw</format>`,
    );
    expect((await client.get(transfer.path)).xml.text("signed_ticket")).toBeDefined();
    await client.post(`${transfer.path}/finalize`);
    await client.untilGone(transfer.path);
    expect((await client.get(`/disks/${diskId}`)).xml.text("status")).toBe("ok");
  });
});

test("4.2 heeds no format: a transfer is of the volume's file, and shows none", async () => {
  await withLab({ engineVersion: "4.2" }, async (fixture) => {
    const { lab, client } = fixture;
    const [diskId] = diskIdsOf(fixture);
    await lab.powerOff("web", { graceful: true });
    const wish = `<disk id="${diskId}"/><direction>download</direction><format>raw</format>`;
    const transfer = await openTransfer(fixture, wish);
    expect((await client.get(transfer.path)).xml.text("format")).toBeUndefined();
    await client.post(`${transfer.path}/finalize`);
    await client.untilGone(transfer.path);
  });
});

test("before 4.4.7 a backup shows no phase between two stages, and vanishes when it is over", async () => {
  // a step long enough to be seen by a client that polls on a busy machine
  await withLab({ engineVersion: "4.4", delayMs: 300 }, async (fixture) => {
    const { client } = fixture;
    const path = `/vms/${vmIdOf(fixture)}/backups`;
    const [diskId] = diskIdsOf(fixture);
    const started = await client.post(path, backupXml([diskId]).replace("<backup>", '<backup id="mine">'));
    const id = started.xml.attribute("id");
    expect(id).not.toBe("mine");
    const between = await client.until(`${path}/${id}`, ({ xml }) => xml.text("phase") !== "initializing");
    expect(between.status).toBe(200);
    expect(between.xml.text("phase")).toBeUndefined();
    const ready = await client.untilText(`${path}/${id}`, "phase", "ready");
    expect(ready.xml.text("modification_date")).toBeUndefined();
    await client.post(`${path}/${id}/finalize`);
    const over = await client.until(
      `${path}/${id}`,
      ({ status, xml }) => status === 404 || xml.text("phase") === "succeeded",
    );
    expect(over.status).toBe(404);
    const events = await client.get(`/events?search=${id}`);
    expect(events.xml.children("event").map((event) => event.integer("code"))).toEqual([10793, 10794, 10790]);
  });
});

test("before 4.4.7 only the oldest checkpoint can be removed, and only while the machine runs", async () => {
  await withLab({ engineVersion: "4.4" }, async (fixture) => {
    const { lab, client } = fixture;
    const [diskId] = diskIdsOf(fixture);
    const path = `/vms/${vmIdOf(fixture)}/checkpoints`;
    const first = await takeBackup(fixture, [diskId]);
    const second = await takeBackup(fixture, [diskId], first);
    expect((await client.get(`${path}/${first}`)).xml.text("state")).toBeUndefined();
    expect((await client.delete(`${path}/${second}`)).status).toBe(400);
    await lab.powerOff("web", { graceful: true });
    expect((await client.delete(`${path}/${first}`)).status).toBe(409);
    await lab.powerOn("web");
    expect((await client.delete(`${path}/${first}`)).status).toBe(200);
    await client.untilGone(`${path}/${first}`);
  });
});

test("4.5 takes the caller's id for a backup, and keeps finished ones for a while", async () => {
  await withLab({ product: "olvm" }, async (fixture) => {
    const { client } = fixture;
    const [diskId] = diskIdsOf(fixture);
    const id = "0d2f2f0a-52ac-4d5e-9d0b-5a3b2b8f8a11";
    const path = `/vms/${vmIdOf(fixture)}/backups`;
    const root = (await client.get("")).xml;
    expect(root.text("product_info", "name")).toBe("Oracle Linux Virtualization Manager");
    const body = backupXml([diskId]).replace("<backup>", `<backup id="${id}">`);
    expect((await client.post(path, body)).xml.attribute("id")).toBe(id);
    await client.untilText(`${path}/${id}`, "phase", "ready");
    await client.post(`${path}/${id}/finalize`);
    await client.untilText(`${path}/${id}`, "phase", "succeeded");
    expect((await client.post(path, body)).status).toBe(409);
    const again = await openBackup(fixture, [diskId]);
    expect((await client.get(path)).xml.children("backup")).toHaveLength(2);
    await client.post(`${again.path}/finalize`);
    await client.untilText(again.path, "phase", "succeeded");
  });
});
