import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";

import { expect, test } from "vitest";

import { faultTable } from "../src/index.ts";
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
import { EngineClient } from "./support/engine-client.ts";
import { MIB, withLab } from "./support/lab-fixture.ts";

test.each(["lost-checkpoint", "inconsistent-bitmap"])(
  "%s: the increment fails with event 10791, all checkpoints go, and a full backup works again",
  async (fault) => {
    await withLab({}, async (fixture) => {
      const { lab, client } = fixture;
      const [diskId] = diskIdsOf(fixture);
      const vm = `/vms/${vmIdOf(fixture)}`;
      const from = await takeBackup(fixture, [diskId]);
      await lab.fault(fault, "once");
      const started = await client.post(`${vm}/backups`, backupXml([diskId], from));
      expect(started.status).toBe(202);
      const id = started.xml.attribute("id");
      await client.untilText(`${vm}/backups/${id}`, "phase", "failed");
      const codes = (await client.get(`/events?search=${id}`)).xml.children("event").map((e) => e.integer("code"));
      expect(codes).toContain(10791);
      expect((await client.get(`${vm}/checkpoints`)).xml.children("checkpoint")).toEqual([]);
      expect((await client.get(vm)).xml.text("status")).toBe("up");
      expect(await takeBackup(fixture, [diskId])).not.toBe("");
    });
  },
);

test("vm-poweroff-during-backup: the backup fails, its checkpoint is dropped and the older one stays good", async () => {
  await withLab({}, async (fixture) => {
    const { lab, client } = fixture;
    const [diskId] = diskIdsOf(fixture);
    const from = await takeBackup(fixture, [diskId]);
    await lab.fault("vm-poweroff-during-backup", "once");
    const backup = await openBackup(fixture, [diskId], from);
    const transfer = await openTransfer(fixture, downloadXml(diskId, backup.id));
    await client.untilText(backup.path, "phase", "failed");
    await client.post(`${transfer.path}/finalize`);
    await client.untilText(transfer.path, "phase", "finished_success");
    expect((await lab.leftovers()).checkpoints).toEqual([from]);
    expect(await lab.leftovers()).toMatchObject({ backups: [], transfers: [], lockedDisks: [] });
    await lab.powerOn("web");
    const again = await openBackup(fixture, [diskId], from);
    expect((await client.get(`${again.path}/disks`)).xml.text("disk", "backup_mode")).toBe("incremental");
    await finalizeBackup(fixture, again);
  });
});

test("a power cut leaves bitmaps inconsistent: the next increment is impossible, the next full is not", async () => {
  await withLab({}, async (fixture) => {
    const { lab, client } = fixture;
    const [diskId] = diskIdsOf(fixture);
    const from = await takeBackup(fixture, [diskId]);
    await lab.powerOff("web", { graceful: false });
    await lab.powerOn("web");
    const path = `/vms/${vmIdOf(fixture)}/backups`;
    const started = await client.post(path, backupXml([diskId], from));
    await client.untilText(`${path}/${started.xml.attribute("id")}`, "phase", "failed");
    expect(await takeBackup(fixture, [diskId])).not.toBe("");
  });
});

test("a QEMU that is killed from outside is noticed: its machine is down and its backup has failed", async () => {
  await withLab({}, async (fixture) => {
    const { client, directory } = fixture;
    const [diskId] = diskIdsOf(fixture);
    const run = join(directory, "storage/run");
    const pidFiles = (await readdir(run)).filter((name) => name.endsWith(".pid"));
    expect(pidFiles).toHaveLength(1);
    const backup = await openBackup(fixture, [diskId]);
    process.kill(Number(await readFile(join(run, pidFiles[0] ?? ""), "utf8")), "SIGKILL");
    await client.untilText(`/vms/${vmIdOf(fixture)}`, "status", "down");
    await client.untilText(backup.path, "phase", "failed");
  });
});

test("engine-restart: 503 for a while, then tokens are unknown but the database is not", async () => {
  await withLab({}, async ({ lab, client }) => {
    await client.login();
    await lab.fault("engine-restart", "on");
    const refused = await client.get("/vms");
    expect([refused.status, refused.headers["content-type"]]).toEqual([503, "text/html;charset=UTF-8"]);
    await lab.fault("engine-restart", "off");
    expect((await client.get("/vms")).status).toBe(401);
    await client.login();
    expect((await client.get("/vms")).xml.children("vm")).toHaveLength(1);
    await lab.fault("engine-restart", "once");
    expect((await client.get("/vms")).status).toBe(503);
    expect((await client.until("/vms", ({ status }) => status !== 503)).status).toBe(401);
  });
});

test("engine-503 and conflict-storm strike as often as they say", async () => {
  await withLab({ vms: [] }, async ({ lab, client }) => {
    await lab.fault("engine-503", "once");
    expect([(await client.get("")).status, (await client.get("")).status]).toEqual([503, 200]);
    await lab.fault("conflict-storm", "on");
    const event = (id: number) =>
      client.post(
        "/events",
        `<event><origin>t</origin><custom_id>${id}</custom_id><description>d</description></event>`,
      );
    const statuses = [await event(1), await event(1), await event(1), await event(2)].map(({ status }) => status);
    expect(statuses).toEqual([409, 409, 201, 409]);
    await lab.fault("conflict-storm", "once");
    expect([(await event(3)).status, (await event(3)).status]).toEqual([409, 201]);
  });
});

test("token-expiry: all tokens at once, or each after five requests", async () => {
  await withLab({ vms: [] }, async ({ lab, client }) => {
    await client.login();
    await lab.fault("token-expiry", "once");
    expect((await client.get("")).status).toBe(401);
    await lab.fault("token-expiry", "on");
    await client.login();
    const statuses: number[] = [];
    for (let request = 0; request < 6; request += 1) statuses.push((await client.get("")).status);
    expect(statuses).toEqual([200, 200, 200, 200, 200, 401]);
  });
});

test("transfer-cut: the connection ends in the middle of the data, and the next try succeeds", async () => {
  await withLab({}, async (fixture) => {
    const { lab, client } = fixture;
    const [diskId] = diskIdsOf(fixture);
    const backup = await openBackup(fixture, [diskId]);
    const transfer = await openTransfer(fixture, downloadXml(diskId, backup.id));
    await lab.fault("transfer-cut", "once");
    await expect(client.download(transfer.url)).rejects.toThrow(/terminated|closed|aborted/);
    expect(await client.download(transfer.url)).toHaveLength(8 * MIB);
  });
});

test("finalize-hang: the transfer stays in its finalizing phase until the fault is over", async () => {
  await withLab({}, async (fixture) => {
    const { lab, client } = fixture;
    const [diskId] = diskIdsOf(fixture);
    const backup = await openBackup(fixture, [diskId]);
    await lab.fault("finalize-hang", "on");
    await client.post(`${backup.path}/finalize`);
    await client.untilText(backup.path, "phase", "finalizing");
    expect((await client.post(`${backup.path}/finalize`)).status).toBe(409);
    await lab.fault("finalize-hang", "off");
    await client.untilText(backup.path, "phase", "succeeded");
  });
});

test("upload-failure and transfer-paused-system: the upload fails and its disk goes, or it is paused", async () => {
  await withLab({ vms: [] }, async (fixture) => {
    const { lab, client } = fixture;
    const made = await client.post(
      "/disks",
      "<disk><format>cow</format><provisioned_size>1048576</provisioned_size></disk>",
    );
    const id = made.xml.attribute("id") ?? "";
    await client.untilText(`/disks/${id}`, "status", "ok");
    await lab.fault("transfer-paused-system", "once");
    const started = await client.post(
      "/imagetransfers",
      `<image_transfer><disk id="${id}"/><format>raw</format></image_transfer>`,
    );
    const path = `/imagetransfers/${started.xml.attribute("id")}`;
    await client.untilText(path, "phase", "paused_system");
    await client.post(`${path}/resume`);
    await client.untilText(path, "phase", "transferring");
    await lab.fault("upload-failure", "once");
    await client.post(`${path}/finalize`);
    await client.untilText(path, "phase", "finished_failure");
    await client.untilGone(`/disks/${id}`);
    expect((await lab.leftovers()).unattachedDisks).toEqual([]);
  });
});

test.each([
  ["expired-certificate", /expired/],
  ["wrong-ca", /certificate/],
])("%s: no client that verifies can connect until it is over", async (fault, message) => {
  await withLab({ vms: [] }, async ({ lab }) => {
    const connectAnew = async (): Promise<number> => {
      const client = await EngineClient.open(lab);
      try {
        return (await client.get("")).status;
      } finally {
        await client.close();
      }
    };
    await lab.fault(fault, "on");
    await expect(connectAnew()).rejects.toThrow(message);
    await lab.fault(fault, "off");
    expect(await connectAnew()).toBe(200);
  });
});

test("every fault has a description, and an unknown one is refused with the names of the known", async () => {
  await withLab({ vms: [] }, async ({ lab }) => {
    const listed = await lab.faults();
    expect(listed.map(({ name }) => name)).toEqual(Object.keys(faultTable));
    expect(listed.every(({ mode, description }) => mode === "off" && description.length > 20)).toBe(true);
    await expect(lab.fault("gremlins", "on")).rejects.toMatchObject({ code: "E_NOT_FOUND" });
  });
});
