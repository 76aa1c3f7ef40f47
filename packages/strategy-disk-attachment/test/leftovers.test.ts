import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";

import { Bench, fillTarget, never, restoreRequest, type Taken } from "./support/bench.ts";
import { canShowDevices } from "./support/needs.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

describe.skipIf(!(await canShowDevices()))("in a lab", () => {
  let bench: Bench;
  let taken: Taken;
  beforeAll(async () => {
    bench = await Bench.open();
    taken = await bench.backup();
  });
  afterAll(() => bench.close());

  test("what a dead backup left is unplugged, detached and merged, in this order", async () => {
    await bench.backupAndDie();
    expect(await bench.left()).toEqual(
      expect.arrayContaining([expect.stringMatching(/^attachedSnapshots/), expect.stringMatching(/^device/)]),
    );
    expect(await bench.removeLeftovers()).toEqual([
      expect.stringMatching(/^unplug and detach disk web_Disk1 at the proxy VM proxy .*the disk itself stays$/),
      expect.stringMatching(/^unplug and detach disk web_Disk2 at the proxy VM proxy/),
      expect.stringMatching(/^remove the snapshot of web/),
    ]);
    await expect.poll(() => bench.left(), { timeout: 20_000 }).toEqual([]);
  });

  test("what a dead restore left is detached and deleted", async () => {
    await bench.dyingRun(async (context) => {
      const session = await bench.strategy.openRestore(restoreRequest(taken, "dead"), context);
      const [first] = session.disks;
      if (first !== undefined) await fillTarget(first, taken.images.get(first.diskId), never);
      const [diskId = ""] = (await bench.lab.leftovers()).unattachedDisks;
      const { provisionedBytes: bytes = 0 } = await bench.manager.api.disks.get(diskId, never);
      await bench.attachAndDie({ diskId, alias: "new", bytes, access: "write" }, context);
    });
    await bench.removeLeftovers();
    await expect.poll(() => bench.left(), { timeout: 20_000 }).toEqual([]);
  });

  test("a disk that a user attached to the proxy VM is left alone, and not taken twice", async () => {
    const own = bench.lab.vms.find(({ name }) => name === "proxy")?.disks[0]?.id ?? "";
    await bench.lab.addDisk("proxy", { alias: "theirs", virtualBytes: 4096, format: "raw" });
    await bench.backupAndDie();
    await bench.removeLeftovers();
    const attached = await bench.manager.api.vms.diskAttachments(bench.idOf("proxy"), false, never);
    expect(attached).toHaveLength(2);
    expect(attached.some(({ diskId }) => diskId === own)).toBe(true);
  });
});
