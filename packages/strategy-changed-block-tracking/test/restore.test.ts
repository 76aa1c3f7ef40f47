import { randomUUID } from "node:crypto";

import { afterAll, beforeAll, expect, test } from "vitest";

import { Bench, never, type Taken } from "./support/bench.ts";

import { createRunHooks, type RestoreRequest } from "@ovault/contract";

let bench: Bench;
let taken: Taken;

beforeAll(async () => {
  bench = await Bench.open();
  await bench.write(0, { kind: "random", seed: "restore", offset: 777_777, length: 333_333 });
  taken = await bench.backup();
});
afterAll(async () => {
  await bench.close();
});

function request(wishes: Partial<RestoreRequest> = {}): RestoreRequest {
  const { point } = taken;
  return { point, disks: point.disks, name: "unused", networks: new Map(), mac: "new", start: false, ...wishes };
}

async function expectNothingLeft(): Promise<void> {
  const left = await bench.lab.leftovers();
  expect([...left.backups, ...left.transfers, ...left.lockedDisks, ...left.unattachedDisks]).toEqual([]);
  expect(await bench.ledger.abandoned()).toEqual([]);
}

test("a restored virtual machine has the disks of the point, byte for byte, and thin ones stay thin", async () => {
  expect(await bench.restore(taken, "copy", { wishes: { start: true } })).toEqual([]);
  const original = await bench.vm();
  const copy = await bench.vm("copy");
  expect(copy.status).toBe("up");
  expect(copy.disks.map(({ alias, format, sparse, interface: type }) => ({ alias, format, sparse, type }))).toEqual(
    original.disks.map(({ alias, format, sparse, interface: type }) => ({ alias, format, sparse, type })),
  );
  for (const [index, disk] of copy.disks.entries()) {
    const view = await bench.view(disk.id);
    const image = taken.images.get(original.disks[index]?.id ?? "") ?? Buffer.alloc(0);
    expect(view.subarray(0, image.length).equals(image)).toBe(true);
    expect(view.subarray(image.length).every((byte) => byte === 0)).toBe(true); // rounded up by the storage
  }
  expect((await bench.manager.api.vms.get(copy.id, {}, never)).description).toBeUndefined();
  await expectNothingLeft();
});

test("the plan of a restore lists its steps and changes nothing", async () => {
  const before = await bench.lab.leftovers();
  const plan = await bench.strategy.planRestore(request({ name: "planned", start: true }), never);
  expect(plan.steps[0]).toMatch(/^make disk web_Disk1/);
  expect(plan.steps.at(-1)).toBe("start planned");
  expect(await bench.lab.leftovers()).toEqual(before);
});

test.each<[string, Partial<RestoreRequest>, RegExp]>([
  ["a name that is taken", { name: "web" }, /`as`/],
  ["no name", { name: "" }, /`as`/],
  ["a name with spaces and brackets", { name: "web 01 (restored)" }, /`as`, for example web-01-restored/],
  ["a name with a slash", { name: "a/b" }, /for example a-b/],
  ["a name with a control character", { name: "a\u001bb" }, /for example a-b/],
  ["a name of 256 characters", { name: "n".repeat(256) }, /`as`/],
  ["a MAC address in use", { mac: "keep" }, /`mac: new`/],
  ["an unknown cluster", { cluster: "nowhere" }, /`cluster`/],
  ["a network that no card is on", { networks: new Map([["ovirtmgnt", "ovirtmgmt"]]) }, /`networks: .*: ovirtmgmt/],
  ["an unknown storage domain", { storageDomain: "nowhere" }, /`storageDomain`/],
])("%s is refused with what to pass, before anything is made", async (_what, wishes, hint) => {
  await expect(bench.strategy.planRestore(request(wishes), never)).rejects.toMatchObject({
    code: "E_USAGE",
    hint: expect.stringMatching(hint),
  });
  await expectNothingLeft();
});

test("a dry run and a restore report all obstacles at once", async () => {
  const wishes = { name: "two words", mac: "keep", storageDomain: "nowhere" } as const;
  const expected = {
    code: "E_USAGE",
    message: expect.stringMatching(/^4 things .*two words.*web_Disk1.*web_Disk2.*nic1 is in use by .*web$/),
    hint: expect.stringMatching(/`as`.*`storageDomain`.*`mac: new`/),
  };
  await expect(bench.strategy.planRestore(request(wishes), never)).rejects.toMatchObject(expected);
  await expect(bench.restore(taken, wishes.name, { wishes })).rejects.toMatchObject(expected);
  await expectNothingLeft();
});

test("without a cluster, the error names all other obstacles, and says what was not checked", async () => {
  const networks = new Map([["nowhere", "ovirtmgmt"]]);
  const wishes = { name: "a b", cluster: "nosuch", storageDomain: "nosuch", mac: "keep", networks } as const;
  await expect(bench.strategy.planRestore(request(wishes), never)).rejects.toMatchObject({
    code: "E_USAGE",
    message: expect.stringMatching(
      /^6 things .*"a b".*"nowhere".*"nosuch".*web_Disk1: nosuch.*web_Disk2: nosuch.*nic1 is in use by .*web$/,
    ),
    hint: expect.stringMatching(/`as`.*`networks: .*`cluster`.*was not checked.*`storageDomain`.*`mac: new`/),
  });
});

/** What a restore that is aborted as soon as it is open, or refused, reports to its phase hook. */
async function phasesOf(wishes: Partial<RestoreRequest>): Promise<readonly string[]> {
  const runId = randomUUID();
  const hooks = createRunHooks();
  const phases: string[] = [];
  hooks.phase.tap("test", ({ phase, detail }) => {
    // The clean-up may find a disk locked.
    if (phase !== "wait") phases.push(`${phase}: ${detail}`);
  });
  const ledger = await bench.ledger.forRun({ runId, manager: bench.manager.name, strategy: bench.strategy.name });
  const opening = bench.strategy.openRestore(request(wishes), { runId, ledger, hooks, signal: never });
  await opening.then(
    (session) => session.abort(),
    () => {},
  );
  await ledger.end();
  return phases;
}

test("the creation of disks is reported when nothing stands in the way, not before", async () => {
  expect(await phasesOf({ mac: "keep" })).toEqual([]);
  expect(await phasesOf({})).toEqual(["open: creating 2 disks"]);
  await expectNothingLeft();
});

const instead = (): Promise<void> => Promise.reject(new Error("the destination broke"));

test("a restore that fails leaves no half disk", async () => {
  await expect(bench.restore(taken, "broken", { instead })).rejects.toThrow("the destination broke");
  await expectNothingLeft();
});

test.each([
  ["upload-failure", /refuses the uploaded disk/],
  ["transfer-paused-system", /paused_system/],
])("after the fault %s nothing is left, and the restore can be run again", async (fault, message) => {
  await bench.lab.fault(fault, "once");
  await expect(bench.restore(taken, "second")).rejects.toThrow(message);
  await expectNothingLeft();
  expect((await bench.lab.leftovers()).vms).not.toContain("second");
});

test("an engine without patience costs no restore", async () => {
  await bench.lab.fault("conflict-storm", "on");
  await bench.lab.fault("token-expiry", "once");
  try {
    await bench.restore(taken, "patient");
    expect((await bench.vm("patient")).disks).toHaveLength(2);
    await expectNothingLeft();
  } finally {
    await bench.lab.fault("conflict-storm", "off");
  }
});

test("a machine that is lost comes back under its name, with its addresses", async () => {
  const { api } = bench.manager;
  const lost = await bench.vm();
  const before = await api.vms.nics(lost.id, never);
  await bench.lab.powerOff("web", { graceful: true });
  await api.vms.delete(lost.id, { keepDisks: false }, never);
  await expect.poll(() => bench.vmNames()).not.toContain("web");
  await bench.restore(taken, "web", { wishes: { mac: "keep", start: true } });
  const back = await bench.vm();
  expect(back.id).not.toBe(lost.id);
  const shown = ({ name, mac, vnicProfileId }: (typeof before)[number]): unknown => ({ name, mac, vnicProfileId });
  expect((await api.vms.nics(back.id, never)).map(shown)).toEqual(before.map(shown));
  await expectNothingLeft();
});
