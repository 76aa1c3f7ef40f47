import * as fc from "fast-check";
import { expect, test } from "vitest";

import { newPointId, type RecoveryPoint } from "@ovault/core";
import { MemoryStore } from "@ovault/testkit";

import { smallRepository } from "../support/small-repository.ts";
import { never } from "../support/take-point.ts";

function pointOf(machine: number, hour: number): RecoveryPoint {
  const takenAt = new Date(Date.UTC(2026, 0, 1, hour));
  return {
    id: newPointId(takenAt),
    vm: { id: `vm-${machine}`, name: "web01", manager: "m", status: "up", disks: [], attributes: {} },
    takenAt: takenAt.toISOString(),
    sealedAt: takenAt.toISOString(),
    runId: "run",
    strategy: "model",
    basePoint: null,
    consistency: "crash",
    blockBytes: 512,
    disks: [],
    skipped: [],
    documents: [],
    warnings: [],
    ovaultVersion: "0.0.0",
  };
}

test("of each machine the newest point is found that is not forgotten and proves itself", async () => {
  const fates = fc.constantFrom("kept", "forgotten", "damaged");
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(fc.nat(2), fates), { maxLength: 12 }), async (drafts) => {
      const store = new MemoryStore();
      const { points } = await smallRepository(store, 512);
      const expected = new Map<string, string>();
      for (const [hour, [machine, fate]] of drafts.entries()) {
        const point = pointOf(machine, hour);
        await points.seal(point, never);
        if (fate === "kept") expected.set(point.vm.id, point.id);
        if (fate === "forgotten") await points.forget(point, never);
        if (fate !== "damaged") continue;
        await store.delete(points.keyOf(point), { signal: never });
        await store.put(points.keyOf(point), [Buffer.from("no manifest")], { ifAbsent: true, signal: never });
      }
      const found = [...(await points.newest(never))].map(([vm, { id }]) => [vm, id] as const);
      expect(new Map(found)).toEqual(expected);
    }),
  );
});
