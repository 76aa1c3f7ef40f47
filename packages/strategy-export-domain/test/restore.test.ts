import { readdir, readFile, stat } from "node:fs/promises";

import { ImageTransferStrategy } from "@ovault/strategy-image-transfer";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";

import { Bench, differences, never, restoreRequest, sameBytes, type Taken } from "./support/bench.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const MIB = 1024 * 1024;
const SECTOR = 512;
const IMAGE_TRANSFER = {
  connectionsPerHost: 8,
  inactivityTimeoutSeconds: 900,
  snapshotTimeoutSeconds: 1_800,
  removalTimeoutSeconds: 21_600,
  freeMebibytesPerDisk: 0,
};

describe.each(["3.6", "4.1", "4.3"] as const)("on oVirt %s", (engineVersion) => {
  let bench: Bench;
  let taken: Taken;
  beforeAll(async () => {
    bench = await Bench.open({ engineVersion });
    taken = await bench.backup();
  });
  afterAll(() => bench.close());

  test("a restored machine lies in the export domain as hosts know it, and can be imported", async () => {
    expect(await bench.restore(taken, "away")).toEqual([]);
    const { exportDomains, infrastructure } = bench.manager.api;
    const [listed] = await exportDomains.vms(bench.domainId, never);
    expect(listed?.name).toBe("away");
    const images = await readdir(bench.path("images"));
    expect(images).toHaveLength(2);
    for (const image of images) {
      const [volume = "", lease, meta = ""] = (await readdir(bench.path("images", image))).toSorted();
      expect([lease, meta]).toEqual([`${volume}.lease`, `${volume}.meta`]);
      const text = await readFile(bench.path("images", image, meta), "utf8");
      const { size, mode } = await stat(bench.path("images", image, volume));
      expect(text).toContain(`SIZE=${size / SECTOR}\n`);
      expect(text).toContain(`DOMAIN=${bench.domainId}\n`);
      expect(mode & 0o777).toBe(0o660);
    }
    const { cluster, disks } = await bench.vm();
    const storageDomainId = disks[0]?.storageDomain?.id ?? "";
    const clone = { name: "imported" };
    const wanted = { clusterId: cluster?.id ?? "", storageDomainId, clone, collapseSnapshots: true };
    await exportDomains.importVm(bench.domainId, listed?.id ?? "", wanted, never);
    await expect.poll(async () => (await bench.vm("imported")).status, { timeout: 20_000 }).toBe("down");
    expect(sameBytes(await bench.viewAll(), await bench.viewAll("imported"))).toBe(true);
    await expect(bench.restore(taken, "away")).rejects.toMatchObject({
      code: "E_USAGE",
      message: "a virtual machine named away lies in export domain staging-Default already",
    });
    await exportDomains.removeVm(bench.domainId, listed?.id ?? "", never);
    expect((await infrastructure.storageDomains(never)).length).toBeGreaterThan(0);
    expect(await bench.settled("imported")).toEqual([]);
  });

  test("with an import, the engine has it and nothing lies in the export domain", async () => {
    expect(await bench.restore(taken, "back", { wishes: { import: true } })).toEqual([]);
    const back = await bench.manager.api.vms.get((await bench.vm("back")).id, {}, never);
    expect([back.status, back.description ?? ""]).toEqual(["down", ""]);
    expect(sameBytes(await bench.viewAll(), await bench.viewAll("back"))).toBe(true);
    expect(await bench.settled("imported", "back")).toEqual([]);
    // And what came back can be taken again.
    const { disks } = await bench.vm("back");
    expect(disks.map(({ alias }) => alias)).toEqual(["web_Disk1", "web_Disk2"]);
  });

  test("a dry run names the steps", async () => {
    const request = { ...restoreRequest(taken, "planned"), import: true, start: true };
    const { steps } = await bench.strategy.planRestore(request, never);
    expect(steps).toEqual([
      expect.stringMatching(/^put disk web_Disk1 \(16777216 bytes, raw\) into /),
      expect.stringMatching(/^put disk web_Disk2 /),
      "put the configuration of planned into export domain staging-Default",
      "import planned into cluster Default",
      expect.stringMatching(/^connect nic1 to /),
      "remove it from the export domain",
      "start planned",
    ]);
    expect(await bench.settled("imported", "back")).toEqual([]);
  });
});

test("points of other strategies can be restored through it, and the reverse", async () => {
  // Uploads go to disks of whole 4 KiB.
  const disks = [{ format: "raw", bytes: 8 * MIB, writes: ["write -P 0x21 3M 1M"] }] as const;
  const bench = await Bench.open({ engineVersion: "4.3", disks });
  try {
    const strategy = new ImageTransferStrategy(bench.manager, IMAGE_TRANSFER);
    const other = await bench.backup({ strategy: strategy, keepBase: false });
    await bench.restore(other, "through", { wishes: { import: true } });
    const own = await bench.backup({ base: other });
    expect(own.point.disks.map(({ mode }) => mode)).toEqual(["compared"]);
    expect(differences(own, await bench.viewAll())).toEqual([]);
    await bench.restore(own, "reverse", { strategy: strategy });
    const views = await bench.viewAll();
    expect(sameBytes(views, await bench.viewAll("through"))).toBe(true);
    expect(sameBytes(views, await bench.viewAll("reverse"))).toBe(true);
    expect(await bench.settled("through", "reverse")).toEqual([]);
  } finally {
    await bench.close();
  }
});
