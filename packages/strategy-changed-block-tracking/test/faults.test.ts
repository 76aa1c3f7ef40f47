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
  for (const { name } of await bench.lab.faults()) await bench.lab.fault(name, "off");
  await bench.write(0, { kind: "random", seed: `${Math.random()}`, offset: 2_000_000, length: 100_000 });
});

async function expectIdentical(taken: Taken): Promise<void> {
  for (const [diskId, view] of await bench.viewAll())
    expect(view.equals(taken.images.get(diskId) ?? Buffer.of())).toBe(true);
}

/** Nothing of a run is on the engine or in the ledger, save the checkpoints of points. */
async function expectClean(): Promise<void> {
  const { checkpoints: _, ...left } = await bench.lab.leftovers();
  expect(Object.values(left).flat()).toEqual([]);
  expect(await bench.ledger.abandoned()).toEqual([]);
}

test.each(["lost-checkpoint", "inconsistent-bitmap"])(
  "after the fault %s the same run compares everything, says why, and the next is incremental again",
  async (fault) => {
    await bench.lab.fault(fault, "once");
    const compared = await bench.backup({ base });
    expect(compared.point.disks.map(({ mode }) => mode)).toEqual(["compared", "compared"]);
    expect(compared.point.disks[0]?.reason).toMatch(/checkpoint/);
    await expectIdentical(compared);
    await expectClean();
    const next = await bench.backup({ base: compared });
    expect(next.point.disks[0]?.mode).toBe("incremental");
    base = next;
  },
);

test("a checkpoint that the engine does not know costs the same run a second start", async () => {
  const { vm, disks } = base.point;
  const [marker] = disks.flatMap((record) => (record.base === undefined ? [] : [record.base]));
  await bench.manager.api.checkpoints.delete(vm.id, String(marker?.["checkpointId"]), never);
  await expect.poll(async () => (await bench.lab.leftovers()).checkpoints).toEqual([]);
  const taken = await bench.backup({ base });
  expect(taken.point.disks[0]).toMatchObject({ mode: "compared", reason: expect.stringMatching(/does not exist/) });
  await expectIdentical(taken);
  base = taken;
});

test.each(["transfer-cut", "idle-close", "token-expiry", "conflict-storm"])(
  "the fault %s passes unnoticed",
  async (fault) => {
    await bench.lab.fault(fault, fault === "conflict-storm" || fault === "idle-close" ? "on" : "once");
    const taken = await bench.backup({ base });
    expect(taken.point.disks[0]?.mode).toBe("incremental");
    await expectIdentical(taken);
    await expectClean();
    base = taken;
  },
);

test("extents that take their time are waited for", async () => {
  await bench.lab.fault("slow-extents", "on");
  const taken = await bench.backup({ base, whenOpen: () => bench.lab.fault("slow-extents", "off") });
  expect(taken.point.disks[0]?.mode).toBe("incremental");
  await expectIdentical(taken);
  base = taken;
});

test("a host whose imageio restarts while disks are read is waited for, with transfers that it knows again", async () => {
  const taken = await bench.backup({ base, whenOpen: () => bench.lab.fault("imageio-restart", "once") });
  expect(taken.point.disks[0]?.mode).toBe("incremental");
  await expectIdentical(taken);
  await expectClean();
  base = taken;
});

test("an engine that restarts while disks are read is waited for", async () => {
  const restart = async (): Promise<void> => {
    await bench.lab.fault("engine-restart", "on");
    setTimeout(() => void bench.lab.fault("engine-restart", "off"), 500);
  };
  const taken = await bench.backup({ base, whenOpen: restart });
  expect(taken.warnings).toEqual([]);
  await expectIdentical(taken);
  await expectClean();
  base = taken;
});

test("finalizing that hangs for a while is waited for", async () => {
  const taken = await bench.backup({ base, whenOpen: () => bench.lab.fault("finalize-hang", "once") });
  expect(taken.point.disks[0]?.base).toBeDefined();
  await expectClean();
  base = taken;
});

test("a virtual machine stays on its host under its backup, and takes its checkpoints along afterwards", async () => {
  const refused = (): Promise<void> => expect(bench.lab.migrate("web")).rejects.toThrow(/during a backup/);
  base = await bench.backup({ base, whenOpen: refused });
  await bench.lab.migrate("web");
  const taken = await bench.backup({ base });
  expect(taken.point.disks.map(({ mode }) => mode)).toEqual(base.point.disks.map(({ mode }) => mode));
  await expectIdentical(taken);
  await expectClean();
  base = taken;
});

test("a suspended machine is an obstacle that the assessment names beforehand", async () => {
  const assessed = await bench.strategy.assess({ ...(await bench.vm()), status: "suspended" }, never);
  const message = "web is suspended; it must be up or down";
  expect(assessed.obstacle).toMatchObject({ code: "E_MACHINE_STATE", message });
});

test("a virtual machine in a passing state is waited for", async () => {
  bench.lab.alterAnswers((xml, { path }) =>
    path === `/vms/${base.point.vm.id}` ? xml.replace("<status>up</status>", "<status>migrating</status>") : xml,
  );
  const { hooks, waits } = bench.passWhenWaitedFor();
  try {
    const taken = await bench.backup({ base, hooks });
    expect(waits).toEqual(["for web to be up or down: it is migrating"]);
    await expectIdentical(taken);
    await expectClean();
    base = taken;
  } finally {
    bench.lab.alterAnswers(undefined);
  }
});

test.each([
  ["at once", 0],
  ["only after the reads have failed", 1],
])("a power-off that the engine reports %s is the error of the backup, which leaves nothing", async (_, outdated) => {
  const powerOff = async (): Promise<void> => {
    await bench.lab.powerOff("web", { graceful: false });
    let answers = 0;
    bench.lab.alterAnswers((xml, { path }) =>
      /\/backups\/[^/]+$/.test(path) && answers++ < outdated
        ? xml.replace(/<phase>[^<]*<\/phase>/, "<phase>ready</phase>")
        : xml,
    );
  };
  try {
    await expect(bench.backup({ base, whenOpen: powerOff })).rejects.toMatchObject({
      code: "E_BACKUP_FAILED",
      message: expect.stringMatching(/powered off/),
    });
    await expectClean();
  } finally {
    bench.lab.alterAnswers(undefined);
    await bench.lab.powerOn("web");
  }
  const taken = await bench.backup({ base });
  await expectIdentical(taken);
  base = taken;
});
