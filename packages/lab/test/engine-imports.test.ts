import { readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { expect, test } from "vitest";

import { startLab } from "../src/index.ts";
import { diskIdsOf, vmIdOf } from "./support/backup-steps.ts";
import {
  attachedDomain,
  centerPath,
  eventCodes,
  exported,
  isDown,
  refusal,
  startImport,
  stateOf,
  withSite,
  type ExportSite,
} from "./support/export-site.ts";

const FAR = {
  clusters: [{ name: "north", dataCenter: "North" }],
  storageDomains: [{ name: "far", dataCenter: "North" }],
};

test("a machine comes back with its own ids and name once the engine has it no more, and as a clone at any time", async () => {
  await withExported(async (site, id) => {
    const { client } = site;
    const vm = vmIdOf(site);
    const disks = diskIdsOf(site);
    expect(refusal(await startImport(site, id))).toEqual([409, expect.stringContaining("already exist")]);
    expect(refusal(await startImport(site, id, { cloneName: "web" }))).toEqual([
      409,
      expect.stringContaining("VM Name already exist"),
    ]);
    await client.delete(`/vms/${vm}`);
    await client.untilGone(`/vms/${vm}`);
    await client.until("/disks", ({ xml }) => xml.children("disk").length === 0);
    expect((await startImport(site, id, { vm })).status).toBe(200);
    expect((await client.get("/disks")).xml.children("disk").map(stateOf)).toEqual(["locked", "locked"]);
    await client.until(`/vms/${vm}`, isDown);
    expect(diskIdsOf(site)).toEqual(disks);
    expect((await startImport(site, id, { cloneName: "copy" })).status).toBe(200);
    await client.until(`/vms/${vmIdOf(site, "copy")}`, isDown);
    expect(diskIdsOf(site, "copy")).not.toContain(disks[0]);
  });
});

test("an import goes to no other data centre than the domain's", async () => {
  await withExported(async (site, id) => {
    for (const wish of [{ cluster: "north" }, { storageDomain: "far" }, { cluster: "north", storageDomain: "far" }]) {
      expect(refusal(await startImport(site, id, { cloneName: "copy", ...wish }))[0]).toBe(409);
    }
  });
});

test("an import that fails takes machine and disks away; one that hangs keeps them locked", async () => {
  await withExported(async (site, id) => {
    const { client, lab } = site;
    await lab.fault("import-failure", "once");
    await startImport(site, id, { cloneName: "copy" });
    const path = `/vms/${vmIdOf(site, "copy")}`;
    await client.untilGone(path);
    await client.until("/disks", ({ xml }) => xml.children("disk").length === 2);
    expect(await eventCodes(site)).toContain(1153);

    await lab.fault("import-hang", "on");
    await startImport(site, id, { cloneName: "copy" });
    const again = `/vms/${vmIdOf(site, "copy")}`;
    await client.until("/jobs", ({ text }) => text.includes("Importing VM copy"));
    expect(stateOf((await client.get(again)).xml)).toBe("image_locked");
    expect((await client.delete(again)).status).toBe(409);
    await lab.fault("import-hang", "off");
    await client.until(again, isDown);
  });
});

test("an OVF that names a file that does not lie there, or cannot be used, is refused", async () => {
  await withExported(async (site, id) => {
    const [root] = diskIdsOf(site);
    const directory = join(site.staging, id, "images", root);
    const meta = (await readdir(directory)).find((name) => name.endsWith(".meta")) ?? "";
    const volume = meta.replace(".meta", "");
    const text = await readFile(join(directory, meta), "utf8");
    const attempt = async (): Promise<readonly [number, string | undefined]> =>
      refusal(await startImport(site, id, { cloneName: "copy" }));

    await rename(join(directory, volume), join(directory, "elsewhere"));
    expect(await attempt()).toEqual([409, expect.stringContaining("does not exist")]);
    await rename(join(directory, "elsewhere"), join(directory, volume));
    for (const [from, to, why] of [
      [/DOMAIN=.*/, "DOMAIN=0", "belongs to something else"],
      [/EOF\n/, "", "damaged"],
      [/PUUID=.*/, `PUUID=${volume}`, "their own parents"],
    ] as const) {
      await writeFile(join(directory, meta), text.replace(from, to));
      expect((await attempt())[1]).toContain(why);
    }
    await rm(join(directory, meta));
    expect(await attempt()).toEqual([409, expect.stringContaining("has no metadata")]);
  });
});

test("what a killed or stopped lab was cloning or importing is gone when it starts again", async () => {
  await withExported(async (site, id) => {
    const { client, lab, directory } = site;
    const snapshots = `/vms/${vmIdOf(site)}/snapshots`;
    const { xml } = await client.post(snapshots, "<snapshot><description>one</description></snapshot>");
    await client.untilText(`${snapshots}/${xml.attribute("id")}`, "snapshot_status", "ok");
    await lab.fault("clone-hang", "on");
    await lab.fault("import-hang", "on");
    const wish = `<vm><name>clone</name><cluster><name>Default</name></cluster><snapshots><snapshot id="${xml.attribute("id")}"/></snapshots></vm>`;
    expect((await client.post("/vms", wish)).status).toBe(202);
    await startImport(site, id, { cloneName: "copy" });
    expect(lab.vms.map(({ name }) => name).toSorted()).toEqual(["clone", "copy", "web"]);
    await lab.stop();
    const again = await startLab({ directory, delayMs: 20 });
    try {
      expect(again.vms.map(({ name }) => name)).toEqual(["web"]);
      expect(await again.leftovers()).toMatchObject({ unattachedDisks: [], lockedDisks: [], vms: [] });
    } finally {
      await again.stop();
    }
  });
});

test("an engine that restarts during an import goes on with it", async () => {
  await withExported(async (site, id) => {
    const { client, lab } = site;
    await startImport(site, id, { cloneName: "copy" });
    await lab.fault("engine-restart", "once");
    expect((await client.get(await centerPath(site).catch(() => ""))).status).toBe(503);
    await client.until(`/vms/${vmIdOf(site, "copy")}`, (answer) => answer.status === 200 && isDown(answer));
  });
});

/** `web`, down, lies in the export domain of its data centre. */
async function withExported(work: (site: ExportSite, domainId: string) => Promise<void>): Promise<void> {
  await withSite({ inventory: FAR }, async (site) => {
    const id = await attachedDomain(site);
    await site.lab.powerOff("web", { graceful: true });
    await exported(site);
    await work(site, id);
  });
}
