import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { expect, test } from "vitest";

import {
  backupXml,
  diskIdsOf,
  downloadXml,
  finalizeBackup,
  openBackup,
  openTransfer,
  takeBackup,
  vmIdOf,
} from "./support/backup-steps.ts";
import { MIB, withLab } from "./support/lab-fixture.ts";

interface Extent {
  readonly start: number;
  readonly length: number;
  readonly dirty?: boolean;
  readonly zero: boolean;
}

test("a full backup serves the disk as it was when the backup began, and an increment exactly what changed since", async () => {
  await withLab({}, async (fixture) => {
    const { lab, client, directory } = fixture;
    const [diskId] = diskIdsOf(fixture);
    await lab.write("web", "0", { offset: 0, length: MIB, kind: "random", seed: "one" });
    const before = join(directory, "before.raw");
    const full = await openBackup(fixture, [diskId]);
    await lab.view(diskId, before);
    await lab.write("web", "0", { offset: 2 * MIB, length: 65_536, kind: "pattern", pattern: 7 });
    const transfer = await openTransfer(fixture, downloadXml(diskId, full.id));
    expect((await client.download(transfer.url)).equals(await readFile(before))).toBe(true);
    expect((await client.get(`${full.path}/disks`)).xml.text("disk", "backup_mode")).toBe("full");
    expect((await client.raw("GET", `${transfer.url}/extents?context=dirty`)).status).toBe(404);
    await client.post(`${transfer.path}/finalize`);
    await client.untilText(transfer.path, "phase", "finished_success");
    await finalizeBackup(fixture, full);

    const increment = await openBackup(fixture, [diskId], full.toCheckpointId);
    expect((await client.get(`${increment.path}/disks`)).xml.text("disk", "backup_mode")).toBe("incremental");
    const second = await openTransfer(fixture, downloadXml(diskId, increment.id));
    const dirty = await client.raw("GET", `${second.url}/extents?context=dirty`);
    const extents: readonly Extent[] = JSON.parse(dirty.text);
    expect(extents.filter((extent) => extent.dirty)).toEqual([
      { start: 2 * MIB, length: 65_536, dirty: true, zero: false },
    ]);
    await client.post(`${second.path}/finalize`);
    await client.untilText(second.path, "phase", "finished_success");
    await finalizeBackup(fixture, increment);
    expect(await lab.leftovers()).toMatchObject({ backups: [], transfers: [], lockedDisks: [], scratch: [] });
  });
});

test("while a backup runs its machine and its disks are locked, and a second backup is refused", async () => {
  await withLab({}, async (fixture) => {
    const { client } = fixture;
    const vm = `/vms/${vmIdOf(fixture)}`;
    const [diskId] = diskIdsOf(fixture);
    const backup = await openBackup(fixture, [diskId]);
    const refusals = [
      await client.post(`${vm}/backups`, backupXml([diskId])),
      await client.post(`${vm}/snapshots`, "<snapshot><description>x</description></snapshot>"),
      await client.delete(vm),
      await client.delete(`${vm}/checkpoints/${backup.toCheckpointId}`),
      await client.delete(`/disks/${diskId}`),
    ];
    expect(refusals.map(({ status }) => status)).toEqual([409, 409, 409, 409, 409]);
    expect(refusals[0]?.xml.text("detail")).toContain("during a backup");
    expect((await client.get(`/disks/${diskId}`)).xml.text("status")).toBe("locked");
    await finalizeBackup(fixture, backup);
    expect((await client.get(`/disks/${diskId}`)).xml.text("status")).toBe("ok");
  });
});

test("of two backups started at the same moment one is refused", async () => {
  await withLab({}, async (fixture) => {
    const start = () =>
      fixture.client.post(`/vms/${vmIdOf(fixture)}/backups`, backupXml(diskIdsOf(fixture).slice(0, 1)));
    const statuses = (await Promise.all([start(), start()])).map(({ status }) => status);
    expect(statuses.toSorted((a, b) => a - b)).toEqual([202, 409]);
  });
});

test("a backup cannot be finalized while a transfer of it is open, and only once", async () => {
  await withLab({}, async (fixture) => {
    const { client } = fixture;
    const [diskId] = diskIdsOf(fixture);
    const backup = await openBackup(fixture, [diskId]);
    const transfer = await openTransfer(fixture, downloadXml(diskId, backup.id));
    const refused = await client.post(`${backup.path}/finalize`);
    expect(refused.status).toBe(409);
    expect(refused.xml.name).toBe("action");
    expect(refused.xml.text("fault", "detail")).toContain("active image transfers");
    await client.post(`${transfer.path}/cancel`);
    await client.untilText(transfer.path, "phase", "finished_failure");
    await finalizeBackup(fixture, backup);
    expect((await client.post(`${backup.path}/finalize`)).status).toBe(409);
  });
});

test("a raw disk joins in, always in full, and alone it makes no checkpoint", async () => {
  await withLab({}, async (fixture) => {
    const { client } = fixture;
    const [cow, raw] = diskIdsOf(fixture);
    const from = await takeBackup(fixture, [cow, raw]);
    const mixed = await openBackup(fixture, [cow, raw], from);
    const modes = (await client.get(`${mixed.path}/disks`)).xml
      .children("disk")
      .map((disk) => disk.text("backup_mode"));
    expect(modes).toEqual(["incremental", "full"]);
    await finalizeBackup(fixture, mixed);
    const alone = await openBackup(fixture, [raw]);
    expect(alone.toCheckpointId).toBeUndefined();
    await finalizeBackup(fixture, alone);
  });
});

test("an unknown checkpoint is a bad request, and so is a disk of another machine", async () => {
  await withLab({}, async (fixture) => {
    const path = `/vms/${vmIdOf(fixture)}/backups`;
    const [diskId] = diskIdsOf(fixture);
    expect((await fixture.client.post(path, backupXml([diskId], "nowhere"))).status).toBe(400);
    expect((await fixture.client.post(path, backupXml(["no-disk"]))).status).toBe(400);
    expect((await fixture.client.post(path, backupXml([]))).status).toBe(400);
    expect((await fixture.client.get("/vms/none/backups")).status).toBe(404);
  });
});

test("a machine that is down is backed up cold, incrementally too", async () => {
  await withLab({}, async (fixture) => {
    const { lab } = fixture;
    const [diskId] = diskIdsOf(fixture);
    const from = await takeBackup(fixture, [diskId]);
    await lab.write("web", "0", { offset: 0, length: 65_536, kind: "pattern", pattern: 1 });
    await lab.powerOff("web", { graceful: true });
    const cold = await openBackup(fixture, [diskId], from);
    const transfer = await openTransfer(fixture, downloadXml(diskId, cold.id));
    const dirty = await fixture.client.raw("GET", `${transfer.url}/extents?context=dirty`);
    const extents: readonly Extent[] = JSON.parse(dirty.text);
    expect(extents[0]).toMatchObject({ start: 0, length: 65_536, dirty: true });
    await fixture.client.post(`${transfer.path}/finalize`);
    await fixture.client.untilText(transfer.path, "phase", "finished_success");
    await finalizeBackup(fixture, cold);
    expect(lab.vms[0]?.status).toBe("down");
  });
});

test("checkpoints form a chain, and one in the middle can be removed without harm to the rest", async () => {
  await withLab({}, async (fixture) => {
    const { client } = fixture;
    const path = `/vms/${vmIdOf(fixture)}/checkpoints`;
    const [diskId] = diskIdsOf(fixture);
    const first = await takeBackup(fixture, [diskId]);
    const second = await takeBackup(fixture, [diskId], first);
    const third = await takeBackup(fixture, [diskId], second);
    expect((await client.get(`${path}/${third}`)).xml.text("parent_id")).toBe(second);
    expect((await client.delete(`${path}/${second}`)).status).toBe(200);
    await client.untilGone(`${path}/${second}`);
    expect((await client.get(`${path}/${third}`)).xml.text("parent_id")).toBe(first);
    const increment = await openBackup(fixture, [diskId], first);
    expect((await client.get(`${increment.path}/disks`)).xml.text("disk", "backup_mode")).toBe("incremental");
    await finalizeBackup(fixture, increment);
  });
});

test("a disk that was added after the base checkpoint is read in full, beside an increment", async () => {
  await withLab({}, async (fixture) => {
    const { lab, client } = fixture;
    const [diskId] = diskIdsOf(fixture);
    const from = await takeBackup(fixture, [diskId]);
    const added = await lab.addDisk("web", { alias: "late", virtualBytes: MIB, format: "cow" });
    const backup = await openBackup(fixture, [diskId, added.id], from);
    const modes = (await client.get(`${backup.path}/disks`)).xml
      .children("disk")
      .map((disk) => disk.text("backup_mode"));
    expect(modes).toEqual(["incremental", "full"]);
    await finalizeBackup(fixture, backup);
  });
});
