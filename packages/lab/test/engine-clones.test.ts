import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { expect, test } from "vitest";

import { diskIdsOf, vmIdOf } from "./support/backup-steps.ts";
import { MIB, withLab, type LabFixture } from "./support/lab-fixture.ts";

const OTHER = "other-storage";
const inventory = { storageDomains: [{ name: OTHER }, { name: "far-storage", dataCenter: "North" }] };

test.each(["3.6", "4.3"] as const)(
  "%s: a clone has the bytes of the snapshot, in the storage domain that was named",
  async (engineVersion) => {
    await withLab({ engineVersion, inventory }, async (fixture) => {
      const { client, lab, directory } = fixture;
      const [root, data] = diskIdsOf(fixture);
      await lab.write("web", "0", { kind: "pattern", pattern: 7, offset: MIB, length: MIB });
      const snapshot = await takeSnapshot(fixture);
      await lab.write("web", "0", { kind: "pattern", pattern: 8, offset: MIB, length: MIB });
      const made = await client.post("/vms", cloneXml(snapshot, placedXml(engineVersion === "3.6", root, OTHER)));
      expect([made.status, state(made.xml)]).toEqual([202, "image_locked"]);
      const path = `/vms/${made.xml.attribute("id")}`;
      await client.until(path, ({ xml }) => state(xml) === "down");

      const clone = lab.vms.find(({ name }) => name === "copy");
      const disks = clone?.disks.map(({ id }) => id) ?? [];
      expect(disks).toHaveLength(2);
      expect(disks).not.toContain(root);
      const [other, own] = await Promise.all(
        disks.map(async (id) => {
          const { xml } = await client.get(`/disks/${id}`);
          return xml.child("storage_domains", "storage_domain")?.attribute("id");
        }),
      );
      const dataDomain = (await client.get(`/disks/${data}`)).xml.child("storage_domains", "storage_domain");
      expect(own).toBe(dataDomain?.attribute("id"));
      expect(other).not.toBe(own);
      const view = join(directory, "view.raw");
      await lab.view(disks[0] ?? "", view);
      expect([...new Set((await readFile(view)).subarray(MIB, 2 * MIB))]).toEqual([7]);
      expect(await codesOf(fixture)).toContain(53);
    });
  },
);

test.each(["clone-failure", "clone-no-space"] as const)(
  "%s: machine and disks vanish, with an event",
  async (fault) => {
    await withLab({}, async (fixture) => {
      const { client, lab } = fixture;
      const snapshot = await takeSnapshot(fixture);
      await lab.fault(fault, "once");
      const made = await client.post("/vms", cloneXml(snapshot));
      await client.untilGone(`/vms/${made.xml.attribute("id")}`);
      await client.until("/disks", ({ xml }) => xml.children("disk").length === 2);
      expect(await codesOf(fixture)).toContain(60);
      const again = await client.post("/vms", cloneXml(snapshot));
      await client.untilText(`/vms/${again.xml.attribute("id")}`, "status", "down");
    });
  },
);

test("a clone that hangs stays locked, and its source with it, until the fault is off", async () => {
  await withLab({}, async (fixture) => {
    const { client, lab } = fixture;
    const snapshot = await takeSnapshot(fixture);
    await lab.fault("clone-hang", "on");
    const path = `/vms/${(await client.post("/vms", cloneXml(snapshot))).xml.attribute("id")}`;
    await new Promise((resolve) => setTimeout(resolve, 300));
    const source = `/vms/${vmIdOf(fixture)}/snapshots/${snapshot}`;
    expect((await client.get(source)).xml.text("snapshot_status")).toBe("locked");
    expect((await client.get(path)).xml.text("status")).toBe("image_locked");
    expect((await client.delete(`/vms/${vmIdOf(fixture)}/snapshots/${snapshot}`)).status).toBe(409);
    await lab.fault("clone-hang", "off");
    await client.untilText(path, "status", "down");
    expect((await client.get(source)).xml.text("snapshot_status")).toBe("ok");
  });
});

test("an engine that restarts during a clone answers with HTML, and goes on with it", async () => {
  await withLab({ engineVersion: "3.6" }, async (fixture) => {
    const { client, lab } = fixture;
    const path = `/vms/${(await client.post("/vms", cloneXml(await takeSnapshot(fixture)))).xml.attribute("id")}`;
    await lab.fault("engine-restart", "once");
    const away = await client.get(path);
    expect([away.status, away.text]).toEqual([503, expect.stringMatching(/^<html>/)]);
    await client.until(path, ({ status, xml }) => status === 200 && state(xml) === "down");
  });
});

test("a clone for which its storage domain has no space is refused", async () => {
  await withLab({}, async (fixture) => {
    const { client, lab } = fixture;
    const snapshot = await takeSnapshot(fixture);
    await lab.fault("low-space", "on");
    const refused = await client.post("/vms", cloneXml(snapshot));
    expect([refused.status, refused.xml.text("detail")]).toEqual([409, expect.stringContaining("Low disk space")]);
    expect((await client.get("/vms")).xml.children("vm")).toHaveLength(1);
  });
});

test("a clone goes to no storage domain of another data centre, and to none that does not exist", async () => {
  await withLab({ inventory }, async (fixture) => {
    const { client } = fixture;
    const [root] = diskIdsOf(fixture);
    const snapshot = await takeSnapshot(fixture);
    const far = await client.post("/vms", cloneXml(snapshot, placedXml(false, root, "far-storage")));
    expect([far.status, far.xml.text("detail")]).toEqual([409, expect.stringContaining("not in the Data Center")]);
    expect((await client.post("/vms", cloneXml(snapshot, placedXml(false, root, "none")))).status).toBe(404);
    expect((await client.get("/disks")).xml.children("disk")).toHaveLength(2);
  });
});

async function takeSnapshot(fixture: LabFixture): Promise<string> {
  const snapshots = `/vms/${vmIdOf(fixture)}/snapshots`;
  const { xml } = await fixture.client.post(snapshots, "<snapshot><description>one</description></snapshot>");
  const id = xml.attribute("id") ?? "";
  await fixture.client.untilText(`${snapshots}/${id}`, "snapshot_status", "ok");
  return id;
}

function cloneXml(snapshot: string, disks = ""): string {
  const cluster = "<cluster><name>Default</name></cluster>";
  return `<vm><name>copy</name>${cluster}<snapshots><snapshot id="${snapshot}"/></snapshots>${disks}</vm>`;
}

function placedXml(isVersion3: boolean, diskId: string, domain: string): string {
  const place = `<storage_domains><storage_domain><name>${domain}</name></storage_domain></storage_domains>`;
  const disk = `<disk id="${diskId}">${place}</disk>`;
  return isVersion3
    ? `<disks>${disk}</disks>`
    : `<disk_attachments><disk_attachment>${disk}</disk_attachment></disk_attachments>`;
}

function state(vm: Awaited<ReturnType<LabFixture["client"]["get"]>>["xml"]): string | undefined {
  return vm.text("status", "state") ?? vm.text("status");
}

async function codesOf({ client }: LabFixture): Promise<readonly (number | undefined)[]> {
  return (await client.get("/events")).xml.children("event").map((event) => event.integer("code"));
}
