import * as fc from "fast-check";
import { expect, test } from "vitest";

import type { Assessment, Disk, DiskAssessment, VirtualMachine } from "@ovault/contract";
import { chooseStrategy } from "@ovault/core";
import { capabilitiesOf, type Capabilities } from "@ovault/ovirt";
import { ModelPlatform, ModelStrategy } from "@ovault/testkit";

import { assessDisk as assessTracked } from "@ovault/strategy-changed-block-tracking/internal/assess-disk";
import { assessDisk as assessFrozen } from "@ovault/strategy-image-transfer/internal/assess-disk";

const { signal } = new AbortController();
const TRACKING = "changed-block-tracking";
const TRANSFER = "image-transfer";

type Assess = (vm: VirtualMachine, disk: Disk, engine: Capabilities) => DiskAssessment;

/** Assesses as a real strategy does on an engine, and does nothing else. */
class OnEngine extends ModelStrategy {
  override readonly name: string;
  readonly #assess: (vm: VirtualMachine) => readonly DiskAssessment[];

  constructor(name: string, engine: Capabilities, assess: Assess) {
    super(new ModelPlatform());
    this.name = name;
    this.#assess = (vm) => vm.disks.map((disk) => assess(vm, disk, engine));
  }

  override async assess(vm: VirtualMachine): Promise<Assessment> {
    return { disks: this.#assess(vm) };
  }
}

const engines = fc
  .constantFrom([4, 1, 0], [4, 2, 0], [4, 3, 0], [4, 3, 10], [4, 4, 0], [4, 4, 3], [4, 5, 5])
  .map(([major = 0, minor = 0, build = 0]) =>
    capabilitiesOf({ name: "oVirt Engine", vendor: undefined, version: { major, minor, build, full: "" } }),
  );

/** Mostly disks as they are, now and then one in the way. */
const disks = fc.record({
  format: fc.constantFrom("cow" as const, "raw" as const),
  attributes: fc.record({
    backup: fc.constantFrom("incremental", "none"),
    status: fc.constantFrom("ok", "ok", "ok", "illegal"),
    active: fc.constantFrom(true, true, true, false),
    shareable: fc.constantFrom(false, false, false, true),
    storageType: fc.constantFrom("image", "image", "image", "lun"),
  }),
});

const machines: fc.Arbitrary<VirtualMachine> = fc
  .record({
    status: fc.constantFrom("up", "up", "down", "paused", "migrating"),
    disks: fc.array(disks, { minLength: 1, maxLength: 4 }),
  })
  .map(({ status, disks: parts }) => ({
    id: "vm-1",
    name: "web01",
    manager: "lab",
    status,
    attributes: {},
    disks: parts.map((disk, index) => ({
      ...disk,
      id: `d${index}`,
      alias: `disk ${index}`,
      index,
      logicalBytes: 1024,
      sparse: true,
      bootable: false,
      interface: "virtio_scsi",
    })),
  }));

async function chosenFor(vm: VirtualMachine, engine: Capabilities, keepBase: boolean) {
  const strategies = [new OnEngine(TRACKING, engine, assessTracked), new OnEngine(TRANSFER, engine, assessFrozen)];
  const choice = await chooseStrategy(strategies, vm, { excludeDisks: [], keepBase, signal });
  if (choice === undefined) throw new Error("nothing was chosen");
  return choice;
}

function count(verdicts: readonly DiskAssessment[], wanted: DiskAssessment["verdict"]): number {
  return verdicts.filter(({ verdict }) => verdict === wanted).length;
}

test("whatever the disks and the engine: none is taken in full that another strategy could take incrementally", async () => {
  await fc.assert(
    fc.asyncProperty(machines, engines, fc.boolean(), async (vm, engine, keepBase) => {
      const { disks: chosen, rejected } = await chosenFor(vm, engine, keepBase);
      for (const { disks: other } of rejected) {
        expect(count(chosen, "impossible")).toBeLessThanOrEqual(count(other, "impossible"));
        if (count(chosen, "impossible") < count(other, "impossible")) continue;
        expect(count(chosen, "full")).toBeLessThanOrEqual(count(other, "full"));
      }
    }),
    { numRuns: 500 },
  );
});

test("no snapshot is made where the backup API does as well, and no unplanned one stays", async () => {
  await fc.assert(
    fc.asyncProperty(machines, engines, fc.boolean(), async (vm, engine, keepBase) => {
      const { strategy, disks: chosen, rejected } = await chosenFor(vm, engine, keepBase);
      if (strategy.name === TRACKING) return;
      const tracked = rejected[0]?.disks ?? [];
      const lacking = tracked.filter(({ verdict }) => verdict === "impossible" || (keepBase && verdict === "full"));
      expect(lacking.length).toBeGreaterThan(0);
      expect(keepBase ? 0 : count(chosen, "incremental")).toBe(0);
    }),
    { numRuns: 500 },
  );
});

test.each([
  { disk: "tracked", format: "cow", backup: "incremental", planned: TRACKING, unplanned: TRACKING },
  { disk: "untracked", format: "cow", backup: "none", planned: TRANSFER, unplanned: TRACKING },
  { disk: "raw", format: "raw", backup: "none", planned: TRANSFER, unplanned: TRACKING },
] as const)("a machine with a $disk disk", async ({ format, backup, planned, unplanned }) => {
  const [vm] = fc.sample(machines, 1);
  const engine = capabilitiesOf({
    name: "oVirt Engine",
    vendor: undefined,
    version: { major: 4, minor: 5, build: 5, full: "4.5.5" },
  });
  const base = vm?.disks[0];
  if (vm === undefined || base === undefined) throw new Error("no machine");
  const machine = { ...vm, status: "up", disks: [{ ...base, format, attributes: { backup } }] };
  expect((await chosenFor(machine, engine, true)).strategy.name).toBe(planned);
  expect((await chosenFor(machine, engine, false)).strategy.name).toBe(unplanned);
});
