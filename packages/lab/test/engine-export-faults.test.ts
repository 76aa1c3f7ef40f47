import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { expect, test } from "vitest";

import { diskIdsOf, vmIdOf } from "./support/backup-steps.ts";
import {
  attach,
  attachedDomain,
  centerPath,
  createDomain,
  eventCodes,
  exported,
  namesIn,
  refusal,
  startExport,
  stateOf,
  withSite,
} from "./support/export-site.ts";

const down = { graceful: true };

test("an export that hangs keeps the machine locked until the fault is off", async () => {
  await withSite({}, async (site) => {
    const { client, lab } = site;
    const id = await attachedDomain(site);
    await lab.powerOff("web", down);
    await lab.fault("export-hang", "on");
    await startExport(site);
    const path = `/vms/${vmIdOf(site)}`;
    await client.until("/events", ({ text }) => text.includes("<code>1162</code>"));
    expect(stateOf((await client.get(path)).xml)).toBe("image_locked");
    expect((await lab.leftovers()).lockedDisks).toHaveLength(2);
    expect([(await client.delete(path)).status, (await startExport(site)).status]).toEqual([409, 409]);
    expect(await namesIn(site, id)).toEqual([]);
    await lab.fault("export-hang", "off");
    await client.untilText(path, "status", "down");
    expect(await namesIn(site, id)).toEqual(["web"]);
    expect((await lab.leftovers()).lockedDisks).toEqual([]);
  });
});

test("an export may end well and leave no OVF", async () => {
  await withSite({}, async (site) => {
    const id = await attachedDomain(site);
    await site.lab.powerOff("web", down);
    await site.lab.fault("export-without-ovf", "once");
    await exported(site);
    expect(await eventCodes(site)).toEqual(expect.arrayContaining([1189, 1150]));
    expect(await namesIn(site, id)).toEqual([]);
    expect(await readdir(join(site.staging, id, "images"))).toHaveLength(2);
  });
});

test("what lies there of the machine stays until an exclusive export has replaced all of it", async () => {
  await withSite({}, async (site) => {
    const { lab } = site;
    const id = await attachedDomain(site);
    await lab.powerOff("web", down);
    await exported(site);
    expect(refusal(await startExport(site))).toEqual([409, expect.stringContaining("same identifier")]);
    const ovfFile = join(site.staging, id, "master/vms", vmIdOf(site), `${vmIdOf(site)}.ovf`);
    const first = await readFile(ovfFile, "utf8");
    await lab.fault("export-failure", "once");
    await exported(site, { exclusive: true });
    expect(await readFile(ovfFile, "utf8")).toBe(first);
    // The date of the export, which alone differs, is in whole seconds.
    await delay(1000);
    await exported(site, { exclusive: true });
    expect(await readFile(ovfFile, "utf8")).not.toBe(first);
  });
});

test("an export fails over a disk that an earlier one has left, and for a name that another machine has there", async () => {
  await withSite({}, async (site) => {
    const { client, lab } = site;
    const id = await attachedDomain(site);
    await lab.powerOff("web", down);
    await lab.fault("export-failure", "once");
    await exported(site);
    expect(await readdir(join(site.staging, id, "images"))).toHaveLength(1);
    await exported(site);
    expect((await eventCodes(site)).filter((code) => code === 1151)).toHaveLength(2);
    expect(await namesIn(site, id)).toEqual([]);
    await exported(site, { exclusive: true });
    expect(await namesIn(site, id)).toEqual(["web"]);

    const tree = join(site.staging, id, "master/vms");
    const other = "11111111-2222-4333-8444-555555555555";
    const ovf = await readFile(join(tree, vmIdOf(site), `${vmIdOf(site)}.ovf`), "utf8");
    await rm(join(tree, vmIdOf(site)), { recursive: true });
    await mkdir(join(tree, other));
    await writeFile(join(tree, other, `${other}.ovf`), ovf.replaceAll(vmIdOf(site), other));
    expect(refusal(await startExport(site, { exclusive: true }))).toEqual([
      409,
      expect.stringContaining("name is already in use"),
    ]);
    expect((await client.get(`/vms/${vmIdOf(site)}`)).xml.text("status")).toBe("down");
  });
});

test("a machine goes to no domain that is unattached, in maintenance, or of another data centre", async () => {
  const inventory = {
    clusters: [{ name: "north", dataCenter: "North" }],
    storageDomains: [{ name: "far", dataCenter: "North" }],
  };
  await withSite({ inventory }, async (site) => {
    const { client, lab } = site;
    await lab.powerOff("web", down);
    const id = (await createDomain(site, "staging")).xml.attribute("id") ?? "";
    expect(refusal(await startExport(site))).toEqual([409, expect.stringContaining("unattached")]);
    await attach(site, id, "North");
    expect(refusal(await startExport(site))).toEqual([409, expect.stringContaining("does not contain the VM")]);
    expect((await attach(site, id)).status).toBe(409);
    const place = `${await centerPath(site, "North")}/storagedomains/${id}`;
    await client.post(`${place}/deactivate`);
    expect(refusal(await startExport(site))).toEqual([409, expect.stringContaining("maintenance")]);
    await client.delete(place);
    await attach(site, id);
    await exported(site);
    expect(await namesIn(site, id)).toEqual(["web"]);
  });
});

test("an engine takes over a domain that lies there, with its machines, unless another data centre uses it", async () => {
  await withSite({ engineVersion: "3.6" }, async (site) => {
    const { client, lab, staging, storage } = site;
    const id = await attachedDomain(site);
    await lab.powerOff("web", down);
    await exported(site);
    await withSite({ engineVersion: "4.3" }, async (newer) => {
      const there = { ...newer, staging, storage };
      const added = await createDomain(there, "old-exports");
      expect([added.status, added.xml.attribute("id")]).toEqual([201, id]);
      expect(refusal(await attach(there, id))).toEqual([409, expect.stringContaining("used by another Data Center")]);
      const place = `${await centerPath(site)}/storagedomains/${id}`;
      await client.post(`${place}/deactivate`);
      await client.delete(place);
      expect((await attach(there, id)).status).toBe(201);
      expect(await namesIn(there, id)).toEqual(["web"]);
    });
  });
});

test("an engine that restarts during an export answers with HTML, and the export goes on", async () => {
  await withSite({}, async (site) => {
    const { client, lab } = site;
    const id = await attachedDomain(site);
    await lab.powerOff("web", down);
    await startExport(site);
    await lab.fault("engine-restart", "once");
    const away = await client.get(`/vms/${vmIdOf(site)}`);
    expect([away.status, away.text]).toEqual([503, expect.stringMatching(/^<html>/)]);
    await client.until(`/vms/${vmIdOf(site)}`, ({ status, xml }) => status === 200 && stateOf(xml) === "down");
    expect(await namesIn(site, id)).toEqual(["web"]);
    const [job] = (await client.get("/jobs")).xml
      .children("job")
      .filter((one) => one.text("description")?.includes("Exporting"));
    expect(job?.text("status")).toBe("finished");
  });
});

test("disks of a machine that runs are not exported, and their volumes are illegal while they are copied", async () => {
  await withSite({}, async (site) => {
    const id = await attachedDomain(site);
    expect(refusal(await startExport(site))).toEqual([409, expect.stringContaining("not down")]);
    await site.lab.powerOff("web", down);
    const [root] = diskIdsOf(site);
    const directory = join(site.staging, id, "images", root);
    const seen = new Set<string>();
    await startExport(site);
    await site.client.until(`/vms/${vmIdOf(site)}`, ({ xml }) => {
      void legalityIn(directory).then((word) => seen.add(word));
      return stateOf(xml) === "down";
    });
    seen.add(await legalityIn(directory));
    expect([...seen]).toEqual(expect.arrayContaining(["ILLEGAL", "LEGAL"]));
  });
});

/** Of the one volume in a directory of an image. */
async function legalityIn(directory: string): Promise<string> {
  try {
    const meta = (await readdir(directory)).find((name) => name.endsWith(".meta")) ?? "";
    return /LEGALITY=(\w+)/.exec(await readFile(join(directory, meta), "utf8"))?.[1] ?? "";
  } catch {
    return ""; // not there yet
  }
}
