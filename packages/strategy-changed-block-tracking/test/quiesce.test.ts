import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";

import { Bench, never, type Taken } from "./support/bench.ts";

let bench: Bench;
let base: Taken;

beforeAll(async () => {
  bench = await Bench.open();
  base = await bench.backup();
});
afterAll(async () => {
  await bench.close();
});
beforeEach(async () => {
  await bench.lab.fault("freeze-failure", "off");
});

async function expectClean(): Promise<void> {
  const { checkpoints: _, ...left } = await bench.lab.leftovers();
  expect(Object.values(left).flat()).toEqual([]);
  expect(await bench.ledger.abandoned()).toEqual([]);
}

test("a frozen guest is recorded as such, whether that is required or tried, and never checks no outcome", async () => {
  expect(base.point.consistency).toBe("filesystem");
  base = await bench.backup({ base, quiesce: "require" });
  expect(base.point.consistency).toBe("filesystem");
  base = await bench.backup({ base, quiesce: "never" });
  expect(base.point.consistency).toBe("crash");
  expect(base.warnings).toEqual([]);
});

test("a guest that cannot be frozen is taken without, still as an increment, and the point says why", async () => {
  await bench.lab.fault("freeze-failure", "on");
  base = await bench.backup({ base, quiesce: "try" });
  expect(base.point).toMatchObject({ consistency: "crash", disks: [{ mode: "incremental" }, {}] });
  expect(base.warnings).toEqual([expect.stringMatching(/web were not frozen: .*Failed freeze VM/)]);
  await expectClean();
});

test("a lost checkpoint and a guest that cannot be frozen cost both, and the run nothing else", async () => {
  await bench.lab.fault("freeze-failure", "on");
  await bench.lab.fault("lost-checkpoint", "once");
  base = await bench.backup({ base, quiesce: "try" });
  expect(base.point).toMatchObject({ consistency: "crash", disks: [{ mode: "compared" }, {}] });
  expect(base.warnings).toHaveLength(1);
  await expectClean();
});

test("where it is required, a guest that cannot be frozen is an error that says so, and leaves nothing", async () => {
  await bench.lab.fault("freeze-failure", "on");
  await expect(bench.backup({ base, quiesce: "require" })).rejects.toMatchObject({
    code: "E_QUIESCE",
    message: expect.stringMatching(/web could not be frozen: .*Failed freeze VM/),
    hint: expect.stringContaining("guest agent"),
  });
  await expectClean();
  expect((await bench.lab.guest("web")).frozen).toBe(false);
});

test("a lost checkpoint is no reason not to freeze", async () => {
  await bench.lab.fault("lost-checkpoint", "once");
  base = await bench.backup({ base, quiesce: "require" });
  expect(base.point).toMatchObject({ consistency: "filesystem", disks: [{ mode: "compared" }, {}] });
});

test("a machine that is down is at rest already", async () => {
  await bench.lab.powerOff("web", { graceful: true });
  await bench.lab.fault("freeze-failure", "on");
  try {
    const taken = await bench.backup({ quiesce: "require", signal: never });
    expect(taken.point.consistency).toBe("offline");
  } finally {
    await bench.lab.powerOn("web");
  }
});
