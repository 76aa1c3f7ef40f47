import { randomUUID } from "node:crypto";
import { subscribe, unsubscribe } from "node:diagnostics_channel";

import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";

import { findByIdentity } from "../src/find-proxy.ts";
import { DiskAttachmentStrategy } from "../src/index.ts";
import { optionsSchema } from "../src/options.ts";
import { Bench, never, restoreRequest } from "./support/bench.ts";
import { canShowDevices } from "./support/needs.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

test("options have defaults, and nothing else is taken", () => {
  expect(optionsSchema.parse({})).toMatchObject({
    deviceDirectory: "/dev/disk/by-id",
    attachedDisks: 2,
    deviceTimeoutSeconds: 120,
  });
  expect(optionsSchema.safeParse({ attachedDisks: 0 }).success).toBe(false);
  expect(optionsSchema.safeParse({ proxy: "proxy" }).success).toBe(false);
});

describe.skipIf(!(await canShowDevices()))("in a lab", () => {
  let bench: Bench;
  beforeAll(async () => {
    bench = await Bench.open();
  });
  afterAll(() => bench.close());

  const reasons = async (vm: string, strategy = bench.strategy): Promise<readonly string[]> =>
    (await strategy.assess(await bench.vm(vm), never)).disks.map(({ verdict, reason }) => `${verdict}: ${reason}`);

  test("the proxy VM is found by name and by id; its own disks are not for it", async () => {
    for (const proxyVm of ["proxy", bench.idOf("proxy")]) {
      const strategy = bench.strategyWith({ proxyVm });
      expect(await reasons("web", strategy)).toEqual([expect.stringMatching(/^full/), expect.stringMatching(/^full/)]);
      expect(await reasons("proxy", strategy)).toEqual([expect.stringContaining("of the proxy VM itself")]);
      expect(await strategy.diagnose(never)).toMatchObject([
        { name: "proxy VM", status: "ok", detail: "proxy, configured" },
        { name: "devices", status: "ok", detail: bench.devices },
        { name: "LVM keeps off" },
      ]);
    }
  });

  test("many machines are assessed by one look at the engine", async () => {
    const strategy = bench.strategyWith({});
    const vm = await bench.vm();
    let requests = 0;
    const count = (): void => void (requests += 1);
    subscribe("undici:request:create", count);
    try {
      await Promise.all(Array.from({ length: 20 }, () => strategy.assess(vm, never)));
      await strategy.assess(vm, never);
    } finally {
      unsubscribe("undici:request:create", count);
    }
    expect(requests).toBeLessThanOrEqual(5);
  });

  test("the proxy VM is found by the UUID of its hardware, in either order of bytes", async () => {
    const { api } = bench.manager;
    const id = bench.idOf("proxy");
    for (const ids of [
      [id, "another"],
      ["another", id],
    ]) {
      expect(await findByIdentity(api, { ids }, never)).toMatchObject({
        vm: { id },
        how: expect.stringContaining("UUID"),
      });
    }
    await expect(findByIdentity(api, { ids: [randomUUID()] }, never)).rejects.toMatchObject({
      code: "E_PROXY_VM",
      message: "this machine is no virtual machine of the engine's",
    });
    await expect(findByIdentity(api, { unknown: "no proof" }, never)).rejects.toMatchObject({
      message: "no proof",
      hint: expect.stringContaining("as root"),
    });
  });

  test("a proxy VM that does not exist is reported by every operation, before anything is made", async () => {
    const strategy = bench.strategyWith({ proxyVm: "nobody" });
    expect(await reasons("web", strategy)).toContainEqual(expect.stringContaining('no virtual machine "nobody"'));
    expect(await strategy.diagnose(never)).toMatchObject([
      { status: "fail", hint: expect.stringContaining("proxyVm") },
    ]);
    const vm = await bench.vm();
    const request = { vm, disks: vm.disks, base: undefined, full: true, quiesce: "try", keepBase: false } as const;
    await bench.dyingRun(async (context) => {
      await expect(strategy.takeInstant(request, context)).rejects.toMatchObject({ code: "E_PROXY_VM" });
    });
    const taken = await bench.backup();
    await expect(bench.restore(taken, "again", { strategy })).rejects.toMatchObject({ code: "E_PROXY_VM" });
    expect(await bench.left()).toEqual([]);
  });

  test("without a configured proxy VM there is nothing to diagnose", async () => {
    const { proxyVm: _, ...options } = optionsSchema.parse({});
    const diagnoses = await new DiskAttachmentStrategy(bench.manager, options).diagnose(never);
    expect(diagnoses).toMatchObject([{ name: "proxy VM", status: "skip", hint: null }]);
  });

  test("a missing device directory is reported", async () => {
    const strategy = bench.strategyWith({ deviceDirectory: `${bench.devices}-missing` });
    expect(await strategy.diagnose(never)).toContainEqual(
      expect.objectContaining({ name: "devices", status: "fail", detail: expect.stringContaining("is no directory") }),
    );
  });

  test("a proxy VM with snapshots of its own is a warning", async () => {
    const { snapshots } = bench.manager.api;
    const id = bench.idOf("proxy");
    const own = await snapshots.create(id, { description: "of the proxy" }, never);
    await expect.poll(async () => (await snapshots.get(id, own.id, {}, never)).status).toBe("ok");
    expect(await bench.strategy.diagnose(never)).toContainEqual(
      expect.objectContaining({ status: "warn", detail: "proxy, configured, has 1 snapshot of its own" }),
    );
    await snapshots.delete(id, own.id, never);
    await expect.poll(() => bench.left(), { timeout: 20_000 }).toEqual([]);
  });

  test("a proxy VM that is not up, or without VirtIO-SCSI, takes no disk", async () => {
    const poor = await Bench.open({ virtioScsi: false });
    try {
      const expected = "VirtIO-SCSI is not enabled on the proxy VM proxy";
      expect((await poor.strategy.assess(await poor.vm(), never)).disks).toMatchObject([
        { verdict: "impossible", reason: expected },
        { verdict: "impossible", reason: expected },
      ]);
      expect(await poor.strategy.diagnose(never)).toContainEqual(
        expect.objectContaining({
          status: "fail",
          detail: expected,
          hint: expect.stringContaining("resource settings"),
        }),
      );
      await poor.lab.powerOff("proxy", { graceful: true });
      const [disk] = (await poor.strategyWith({}).assess(await poor.vm(), never)).disks;
      expect(disk?.reason).toBe("the proxy VM proxy is down; it must be up");
    } finally {
      await poor.close();
    }
  });

  test("what a restore would do is found out without changing anything", async () => {
    const { steps } = await bench.strategy.planRestore(restoreRequest(await bench.backup(), "planned"), never);
    expect(steps.join("\n")).toMatch(/make disk web_Disk2 .*raw, thin/);
    expect(await bench.left()).toEqual([]);
  });
});
