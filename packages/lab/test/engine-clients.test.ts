import { stat } from "node:fs/promises";

import { expect, test } from "vitest";

import { diskIdsOf, vmIdOf } from "./support/backup-steps.ts";
import { withLab } from "./support/lab-fixture.ts";

test("a machine is pinned to a host by its name, to an unknown one it is not", async () => {
  await withLab({}, async (fixture) => {
    const { client } = fixture;
    const path = `/vms/${vmIdOf(fixture)}`;
    const pin = (name: string) =>
      client.call(
        "PUT",
        path,
        `<vm><placement_policy><hosts><host><name>${name}</name></host></hosts></placement_policy></vm>`,
      );
    expect((await pin("nowhere")).status).toBe(404);
    const pinned = (await pin("lab-host")).xml.child("placement_policy", "hosts", "host")?.attribute("id");
    expect(pinned).toBe((await client.get("/hosts")).xml.child("host")?.attribute("id"));
  });
});

test("a network card may be described, which an engine forgets", async () => {
  await withLab({}, async (fixture) => {
    const { client } = fixture;
    const path = `/vms/${vmIdOf(fixture)}/nics`;
    const made = await client.post(path, "<nic><name>second</name><description>to the dmz</description></nic>");
    expect([made.status, made.xml.text("description")]).toEqual([201, undefined]);
  });
});

test("a console is added and taken away, and gives a ticket while the machine runs", async () => {
  await withLab({}, async (fixture) => {
    const { lab, client } = fixture;
    const path = `/vms/${vmIdOf(fixture)}/graphicsconsoles`;
    const made = await client.post(path, "<graphics_console><protocol>spice</protocol></graphics_console>");
    expect(made.status).toBe(201);
    expect((await client.post(path, "<graphics_console><protocol>vnc</protocol></graphics_console>")).status).toBe(409);
    const own = `${path}/${made.xml.attribute("id")}`;
    expect((await client.get(`${own}?current=true`)).xml.text("address")).toBe("127.0.0.1");
    expect((await client.get(own)).xml.text("address")).toBeUndefined();
    expect((await client.post(`${own}/ticket`)).xml.text("ticket", "value")).toMatch(/^.{12}$/);
    await lab.powerOff("web", { graceful: true });
    expect((await client.post(`${own}/ticket`)).status).toBe(409);
    expect((await client.delete(own)).status).toBe(200);
    expect((await client.get(path)).xml.children("graphics_console").map((one) => one.text("protocol"))).toEqual([
      "vnc",
    ]);
  });
});

test("a CD is put into the drive of a machine and taken out", async () => {
  await withLab({}, async (fixture) => {
    const { client } = fixture;
    const [, disk] = diskIdsOf(fixture);
    const [drive] = (await client.get(`/vms/${vmIdOf(fixture)}/cdroms`)).xml.children("cdrom");
    const path = `/vms/${vmIdOf(fixture)}/cdroms/${drive?.attribute("id")}`;
    await client.call("PUT", path, `<cdrom><file id="${disk}"/></cdrom>`);
    expect((await client.get(path)).xml.child("file")?.attribute("id")).toBe(disk);
    await client.call("PUT", path, '<cdrom><file id=""/></cdrom>');
    expect((await client.get(path)).xml.child("file")).toBeUndefined();
    expect((await client.call("PUT", path, '<cdrom><file id="none"/></cdrom>')).status).toBe(404);
  });
});

test("a disk is sparsified while its machine is down: zeros that were written take no space", async () => {
  // The disk stays locked for long enough to be seen so on a busy machine.
  await withLab({ delayMs: 1_000 }, async (fixture) => {
    const { lab, client } = fixture;
    const [, disk] = diskIdsOf(fixture);
    const path = lab.vms[0]?.disks[1]?.path ?? "";
    await lab.write("web", "1", { offset: 0, length: 1_048_576, kind: "pattern", pattern: 0 });
    expect((await client.post(`/disks/${disk}/sparsify`)).status).toBe(409);
    await lab.powerOff("web", { graceful: true });
    const before = (await stat(path)).blocks;
    expect((await client.post(`/disks/${disk}/sparsify`)).status).toBe(200);
    expect((await client.get(`/disks/${disk}`)).xml.text("status")).toBe("locked");
    await client.untilText(`/disks/${disk}`, "status", "ok");
    expect((await stat(path)).blocks).toBeLessThan(before);
  });
});
