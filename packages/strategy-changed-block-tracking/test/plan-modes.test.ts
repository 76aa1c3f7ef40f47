import * as fc from "fast-check";
import { expect, test } from "vitest";

import { readMarker } from "../src/base-marker.ts";
import { decideMode, planModes } from "../src/plan-modes.ts";
import { arbitraryBase, arbitraryDisks, vm } from "./support/arbitraries.ts";

const request = fc.record({
  vm: fc.constant(vm),
  disks: arbitraryDisks(),
  base: arbitraryBase(),
  full: fc.boolean(),
  quiesce: fc.constantFrom("require", "try", "never"),
  keepBase: fc.boolean(),
});

test("every disk of the request is planned once, in its order, with a reason", () => {
  fc.assert(
    fc.property(request, (wish) => {
      const plan = planModes(wish);
      expect(plan.disks.map(({ disk }) => disk)).toEqual(wish.disks);
      for (const { reason } of plan.disks) expect(reason).not.toBe("");
    }),
  );
});

test("a disk is incremental only from the one checkpoint that the last point holds for it on this machine", () => {
  fc.assert(
    fc.property(request, (wish) => {
      const plan = planModes(wish);
      for (const { disk, incremental } of plan.disks) {
        const record = wish.base?.disks.find((one) => one.disk.id === disk.id);
        const marker = readMarker(record);
        const tracked = disk.format === "cow" && disk.attributes["backup"] === "incremental";
        const usable = !wish.full && tracked && marker?.vmId === vm.id && marker.checkpointId === plan.checkpointId;
        expect(incremental).toBe(usable);
      }
      expect(plan.checkpointId !== undefined).toBe(plan.disks.some(({ incremental }) => incremental));
    }),
  );
});

test("a disk that cannot be incremental is compared if the base holds it, and full if not", () => {
  fc.assert(
    fc.property(request, (wish) => {
      for (const { disk, otherwise } of planModes(wish).disks) {
        const inBase = wish.base?.disks.some((one) => one.disk.id === disk.id) ?? false;
        expect(otherwise).toBe(inBase && !wish.full ? "compared" : "full");
      }
    }),
  );
});

test("whatever the engine makes of it, a disk is incremental only where plan and engine agree", () => {
  const engineMode = fc.constantFrom("full", "incremental", undefined);
  const refusal = fc.constantFrom("the checkpoint is gone", undefined);
  fc.assert(
    fc.property(request, engineMode, refusal, (wish, said, refused) => {
      for (const plan of planModes(wish).disks) {
        const { mode, reason } = decideMode(plan, said, refused);
        const agreed = plan.incremental && said !== "full" && refused === undefined;
        expect(mode).toBe(agreed ? "incremental" : plan.otherwise);
        expect(reason).not.toBe("");
      }
    }),
  );
});
