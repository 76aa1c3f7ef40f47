import { expect, test } from "vitest";

import { backupXml, diskIdsOf, finalizeBackup, openBackup, vmIdOf } from "./support/backup-steps.ts";
import { withImages, withLab } from "./support/lab-fixture.ts";

test("a guest is frozen and thawed when it is asked for, and the engine's events tell", async () => {
  await withLab({}, async (fixture) => {
    const { lab, client } = fixture;
    const vm = `/vms/${vmIdOf(fixture)}`;
    expect((await client.post(`${vm}/freezefilesystems`, "<action/>")).status).toBe(200);
    expect((await lab.guest("web")).frozen).toBe(true);
    const again = await client.post(`${vm}/freezefilesystems`, "<action/>");
    expect(again).toMatchObject({ status: 400, text: expect.stringContaining("frozen already") });
    expect((await client.post(`${vm}/thawfilesystems`, "<action/>")).status).toBe(200);
    expect((await client.post(`${vm}/thawfilesystems`, "<action/>")).status).toBe(200);
    const events = ["freeze", "frozen", "freeze", "thaw", "thawed", "thaw", "thawed"];
    expect(await lab.guest("web")).toEqual({ frozen: false, events });
    const codes = (await client.get("/events")).xml.children("event").map((event) => event.integer("code"));
    expect(codes).toEqual(expect.arrayContaining([10_767, 10_768, 10_769]));
    await lab.powerOff("web", { graceful: true });
    expect((await client.post(`${vm}/freezefilesystems`, "<action/>")).status).toBe(409);
  });
});

test("a freeze that hangs takes hold at its end, and overtakes a thaw that came meanwhile", async () => {
  await withLab({}, async (fixture) => {
    const { lab, client } = fixture;
    const vm = `/vms/${vmIdOf(fixture)}`;
    await lab.fault("freeze-hang", "on");
    const freezing = client.post(`${vm}/freezefilesystems`, "<action/>");
    await expect.poll(async () => (await lab.guest("web")).events, { timeout: 30_000 }).toEqual(["freeze"]);
    expect((await client.post(`${vm}/thawfilesystems`, "<action/>")).status).toBe(200);
    await lab.fault("freeze-hang", "off");
    expect((await freezing).status).toBe(200);
    expect((await lab.guest("web")).frozen).toBe(true);
    await lab.fault("thaw-failure", "once");
    expect((await client.post(`${vm}/thawfilesystems`, "<action/>")).status).toBe(400);
    expect((await client.post(`${vm}/thawfilesystems`, "<action/>")).status).toBe(200);
    expect((await lab.guest("web")).frozen).toBe(false);
  });
});

test("backups and snapshots freeze by themselves, and thaw whatever happens", async () => {
  await withLab({}, async (fixture) => {
    const { lab, client } = fixture;
    const vm = `/vms/${vmIdOf(fixture)}`;
    await finalizeBackup(fixture, await openBackup(fixture, [diskIdsOf(fixture)[0]]));
    const snapshot = await client.post(`${vm}/snapshots`, "<snapshot><description>s</description></snapshot>");
    await client.untilText(`${vm}/snapshots/${snapshot.xml.attribute("id")}`, "snapshot_status", "ok");
    const events = ["host froze", "host thawed", "host froze", "host thawed"];
    await expect.poll(() => lab.guest("web"), { timeout: 30_000 }).toEqual({ frozen: false, events });
  });
});

test("without a guest agent a snapshot is made with a warning, and a backup that requires consistency fails", async () => {
  await withImages(async ({ cow, raw }) => {
    await withLab({ vms: [{ name: "web", images: [cow, raw], guestAgent: false }] }, async (fixture) => {
      const { lab, client } = fixture;
      const vm = `/vms/${vmIdOf(fixture)}`;
      expect((await client.post(`${vm}/freezefilesystems`, "<action/>")).status).toBe(400);
      const snapshot = await client.post(`${vm}/snapshots`, "<snapshot><description>s</description></snapshot>");
      await client.untilText(`${vm}/snapshots/${snapshot.xml.attribute("id")}`, "snapshot_status", "ok");
      const codes = (await client.get("/events")).xml.children("event").map((event) => event.integer("code"));
      expect(codes).toContain(10_764);
      const [disk] = diskIdsOf(fixture);
      const started = await client.post(`${vm}/backups?require_consistency=true`, backupXml([disk]));
      const id = started.xml.attribute("id");
      await client.untilText(`${vm}/backups/${id}`, "phase", "failed");
      expect((await client.get(`/events?search=${id}`)).text).toContain("Failed freeze VM");
      expect((await lab.leftovers()).checkpoints).toEqual([]);
      await finalizeBackup(fixture, await openBackup(fixture, [disk]));
    });
  });
});
