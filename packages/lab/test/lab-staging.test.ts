import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

import { expect, test } from "vitest";

import { connectLab, labConfiguration, startLab } from "../src/index.ts";
import { diskIdsOf, vmIdOf } from "./support/backup-steps.ts";
import { EngineClient } from "./support/engine-client.ts";
import { centerPath, eventCodes, exported, isDown, namesIn } from "./support/export-site.ts";
import { withLab, type LabFixture } from "./support/lab-fixture.ts";

const down = { graceful: true };

test.each(["3.6", "4.1"] as const)(
  "%s: a lab serves its own staging folder, also when it starts again",
  async (engineVersion) => {
    await withLab({ engineVersion, staging: true }, async (fixture) => {
      const { lab, directory } = fixture;
      const folder = join(directory, "staging", "Default");
      expect(lab.staging).toEqual([{ dataCenter: "Default", exportDomain: "staging-Default", folder }]);
      expect(labConfiguration(lab).strategies["export-domain"]).toEqual({ staging: "staging/Default" });
      expect(await connectLab(directory).status()).toMatchObject({ staging: lab.staging, warnings: [] });
      const domain = await domainOf(fixture);
      await lab.powerOff("web", down);
      await exported(fixture, { domain: "staging-Default" });
      expect(await readdir(join(folder, domain, "images"))).toHaveLength(2);
      await lab.stop();

      const again = await startLab({ directory, staging: true, delayMs: 20 });
      const client = await EngineClient.open(again);
      try {
        expect(again.staging).toEqual([{ dataCenter: "Default", exportDomain: "staging-Default", folder }]);
        expect(await namesIn({ ...fixture, client }, domain)).toEqual(["web"]);
      } finally {
        await client.close();
        await again.stop();
      }
    });
  },
);

test("each data centre has a folder and an export domain of its own; newer engines have none", async () => {
  const inventory = {
    clusters: [
      { name: "north", dataCenter: "North" },
      { name: "odd", dataCenter: "../Odd one" },
    ],
  };
  await withLab({ engineVersion: "4.3", staging: true, inventory }, async ({ lab, directory }) => {
    const folders = lab.staging.map(({ folder }) => folder.slice(join(directory, "staging/").length));
    expect(lab.staging.map(({ dataCenter }) => dataCenter)).toEqual(["Default", "North", "../Odd one"]);
    expect(folders).toEqual(["Default", "North", expect.stringMatching(/^[0-9a-f-]{36}$/)]);
    expect(labConfiguration(lab).strategies["export-domain"]).toMatchObject({
      staging: "staging",
      dataCenters: { Default: { folder: "staging/Default" }, North: { folder: "staging/North" } },
    });
    for (const { folder } of lab.staging) expect(await readdir(folder)).toContain("__DIRECT_IO_TEST__");
  });
  await withLab({ staging: true }, async ({ lab }) => {
    expect(lab.staging).toEqual([]);
    expect((await lab.status()).warnings).toEqual([]);
  });
});

test("the NFS server that is full in the middle of an export, or read-only, makes it fail", async () => {
  await withLab({ engineVersion: "4.1", staging: true }, async (fixture) => {
    const { client, lab, directory } = fixture;
    const [root] = diskIdsOf(fixture);
    await lab.write("web", "0", { kind: "pattern", pattern: 7, offset: 0, length: 65_536 });
    await lab.powerOff("web", down);
    const domain = await domainOf(fixture);
    const images = join(directory, "staging/Default", domain, "images");
    for (const [fault, reason] of [
      ["staging-full", "EIO.*it is full"],
      ["staging-read-only", "EROFS"],
    ] as const) {
      await lab.fault(fault, "on");
      await exported(fixture, { domain: "staging-Default" });
      const failed = (await client.get("/events")).xml.children("event").find((one) => one.integer("code") === 1151);
      expect(failed?.text("description")).toMatch(new RegExp(reason, "i"));
      expect(await namesIn(fixture, domain)).toEqual([]);
      const left = await readdir(join(images, root)).catch(() => []);
      const metas = left
        .filter((name) => name.endsWith(".meta"))
        .map((name) => readFile(join(images, root, name), "utf8"));
      for (const meta of await Promise.all(metas)) expect(meta).not.toContain("LEGALITY=LEGAL");
      await lab.fault(fault, "off");
    }
    await exported(fixture, { domain: "staging-Default", exclusive: true });
    expect(await eventCodes(fixture)).toContain(1150);
    expect(await namesIn(fixture, domain)).toEqual(["web"]);
    await client.until(`/vms/${vmIdOf(fixture)}`, isDown);
  });
});

async function domainOf(fixture: LabFixture): Promise<string> {
  const attached = await fixture.client.get(`${await centerPath(fixture)}/storagedomains`);
  const found = attached.xml.children("storage_domain").find((domain) => domain.text("type") === "export");
  return found?.attribute("id") ?? "";
}
