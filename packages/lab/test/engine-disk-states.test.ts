import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { expect, test } from "vitest";

import { startLab } from "../src/index.ts";
import { diskIdsOf, openBackup, openTransfer, vmIdOf } from "./support/backup-steps.ts";
import { EngineClient } from "./support/engine-client.ts";
import { MIB, STEP_MS, withImages, withLab } from "./support/lab-fixture.ts";

test.each(["4.4", "4.5"] as const)(
  "%s: a disk is free when its backup's transfer is over, not before",
  async (engineVersion) => {
    await withLab({ engineVersion }, async (fixture) => {
      const { client } = fixture;
      const [disk] = diskIdsOf(fixture);
      const backup = await openBackup(fixture, [disk]);
      expect((await client.get(`/disks/${disk}`)).xml.text("status")).toBe("locked");
      const transfer = await openTransfer(
        fixture,
        `<disk id="${disk}"/><backup id="${backup.id}"/><direction>download</direction><format>raw</format>`,
      );
      expect((await client.get(`/disks/${disk}`)).xml.text("status")).toBe("locked");
      await client.post(`${transfer.path}/finalize`);
      await client.untilText(`/disks/${disk}`, "status", "ok");
      expect((await client.get(backup.path)).xml.text("phase")).toBe("ready");
      const snapshot = await client.post(`/vms/${vmIdOf(fixture)}/snapshots`, "<snapshot/>");
      expect(snapshot.status).toBe(409); // the machine is during backup all the same
    });
  },
);

test("the active snapshot has the disks that the machine writes to, and cannot be removed", async () => {
  await withLab({}, async (fixture) => {
    const { client } = fixture;
    const path = `/vms/${vmIdOf(fixture)}/snapshots`;
    await client.post(path, "<snapshot><description>s</description></snapshot>");
    const done = await client.until(path, ({ xml }) =>
      xml.children("snapshot").every((one) => one.text("snapshot_status") === "ok"),
    );
    const [active, kept] = done.xml.children("snapshot").map((snapshot) => snapshot.attribute("id"));
    const [disk] = diskIdsOf(fixture);
    const image = async (snapshot: string | undefined) =>
      (await client.get(`${path}/${snapshot}/disks/${disk}`)).xml.text("image_id");
    expect(await image(active)).toBe((await client.get(`/disks/${disk}`)).xml.text("image_id"));
    expect(await image(kept)).not.toBe(await image(active));
    const disks = (await client.get(`${path}/${active}/disks`)).xml.children("disk");
    expect(disks.map((one) => [one.attribute("id"), one.child("snapshot")?.attribute("id")])).toEqual(
      diskIdsOf(fixture).map((id) => [id, active]),
    );
    expect((await client.delete(`${path}/${active}`)).status).toBe(400);
  });
});

test("a machine made from a snapshot is locked until it has copies of what the snapshot froze", async () => {
  await withLab({}, async (fixture) => {
    const { lab, client, directory } = fixture;
    await client.call("PUT", `/vms/${vmIdOf(fixture)}`, "<vm><comment>as it was</comment></vm>");
    await lab.write("web", "0", { offset: 0, length: 65_536, kind: "pattern", pattern: 1 });
    const snapshots = `/vms/${vmIdOf(fixture)}/snapshots`;
    const snapshot = (await client.post(snapshots, "<snapshot/>")).xml.attribute("id");
    await client.untilText(`${snapshots}/${snapshot}`, "snapshot_status", "ok");
    await lab.write("web", "0", { offset: 0, length: 65_536, kind: "pattern", pattern: 2 });
    const made = await client.post("/vms", cloneXml("copy", snapshot));
    expect([made.status, made.xml.text("status")]).toEqual([202, "image_locked"]);
    const path = `/vms/${made.xml.attribute("id")}`;
    expect((await client.delete(`${snapshots}/${snapshot}`)).status).toBe(409);
    expect((await client.post("/vms", cloneXml("copy", snapshot))).status).toBe(409);
    const copy = await client.untilText(path, "status", "down");
    expect(copy.xml.text("comment")).toBe("as it was");
    const attachments = (await client.get(`${path}/diskattachments`)).xml.children("disk_attachment");
    expect(attachments.map((one) => one.text("bootable"))).toEqual(["true", "false"]);
    const raw = join(directory, "copy.raw");
    await lab.view(attachments[0]?.attribute("id") ?? "", raw);
    const bytes = await readFile(raw);
    expect([bytes.length, bytes[0], bytes[65_535], bytes[65_536]]).toEqual([8 * MIB, 1, 1, 0]);
    const [nic] = (await client.get(`${path}/nics`)).xml.children("nic");
    const [other] = (await client.get(`/vms/${vmIdOf(fixture)}/nics`)).xml.children("nic");
    expect(nic?.text("mac", "address")).not.toBe(other?.text("mac", "address"));
    expect((await client.post("/vms", cloneXml("other", vmIdOf(fixture)))).status).toBe(404);
  });
});

test("a transfer whose daemon has died is stopped, and cleaned up when the daemon is back", async () => {
  await withImages(async ({ directory, cow }) => {
    const imageioControl = join(directory, "control.sock");
    let daemon = await listen(imageioControl);
    const lab = await startLab({
      directory: join(directory, "lab"),
      vms: [{ name: "web", images: [cow], down: true }],
      delayMs: STEP_MS,
      imageioControl,
      imageioUrl: "https://localhost:1",
    });
    const client = await EngineClient.open(lab);
    try {
      const disk = lab.vms[0]?.disks[0]?.id;
      const fixture = { lab, client, directory };
      const wish = `<disk id="${disk}"/><direction>download</direction><format>raw</format>`;
      const { path } = await openTransfer(fixture, wish);
      daemon.close();
      daemon.closeAllConnections();
      await client.untilText(path, "phase", "finalizing_failure");
      await new Promise((resolve) => setTimeout(resolve, 5 * STEP_MS));
      expect((await client.get(path)).xml.text("phase")).toBe("finalizing_failure");
      expect((await client.get(`/disks/${disk}`)).xml.text("status")).toBe("locked");
      daemon = await listen(imageioControl);
      await client.untilText(path, "phase", "finished_failure");
      expect((await client.get(`/disks/${disk}`)).xml.text("status")).toBe("ok");
    } finally {
      await client.close();
      await lab.stop();
      daemon.close();
      daemon.closeAllConnections();
    }
  });
});

test("disks show the snapshots of themselves, by their storage domain too", async () => {
  await withLab({}, async (fixture) => {
    const { client } = fixture;
    const snapshots = `/vms/${vmIdOf(fixture)}/snapshots`;
    const [disk] = diskIdsOf(fixture);
    for (const description of ["first", "second"]) {
      const made = await client.post(snapshots, `<snapshot><description>${description}</description></snapshot>`);
      await client.untilText(`${snapshots}/${made.xml.attribute("id")}`, "snapshot_status", "ok");
    }
    const shown = (await client.get(`/disks/${disk}/disksnapshots`)).xml.children("disk_snapshot");
    const ids = shown.map((one) => one.attribute("id"));
    expect(shown.map((one) => one.child("parent")?.attribute("id"))).toEqual([undefined, ids[0]]);
    for (const one of shown) {
      const own = await client.get((one.attribute("href") ?? "").slice("/ovirt-engine/api".length));
      expect([own.status, own.xml.attribute("id")]).toEqual([200, one.attribute("id")]);
    }
    const domain = shown[0]?.child("storage_domain")?.attribute("id");
    const all = (await client.get(`/storagedomains/${domain}/disksnapshots`)).xml.children("disk_snapshot");
    expect(all.filter((one) => one.child("disk")?.attribute("id") === disk).map((one) => one.attribute("id"))).toEqual(
      ids,
    );
  });
});

function cloneXml(name: string, snapshot: string | undefined): string {
  const cluster = "<cluster><name>Default</name></cluster>";
  return `<vm><name>${name}</name>${cluster}<snapshots><snapshot id="${snapshot}"/></snapshots></vm>`;
}

/** As much of an imageio daemon's control socket as an engine sees of an idle transfer. */
async function listen(socket: string): Promise<Server> {
  const server = createServer((request, response) => {
    request.resume();
    response.end(request.method === "GET" ? JSON.stringify({ active: false, idle_time: 0, transferred: 0 }) : "");
  });
  server.listen(socket);
  await once(server, "listening");
  return server;
}
