import { expect, test } from "vitest";

import { machineKey, type RecoveryPoint } from "@ovault/contract";
import { renameHint } from "@ovault/operations";
import { ModelPlatform } from "@ovault/testkit";

function pointOf(manager: string): RecoveryPoint {
  const vm = { ...new ModelPlatform().vm(), id: "vm-1", manager };
  const at = "2026-11-30T00:00:00.000Z";
  const more = {
    strategy: "model",
    basePoint: null,
    consistency: "crash",
    blockBytes: 512,
    ovaultVersion: "0",
  } as const;
  const none = { disks: [], skipped: [], documents: [], warnings: [] };
  return { id: manager, vm, takenAt: at, sealedAt: at, runId: "run", ...more, ...none };
}

test("of two managers with one machine id, only the one without points of its own is advised to take the former name", () => {
  const [stray, own] = [pointOf("prod"), pointOf("dr")];
  const newest = new Map([stray, own].map((point) => [machineKey(point.vm), point]));
  expect(renameHint("prod2", [stray], newest)).toBe("Without it their next backups are full.");
  expect(renameHint("dr", [stray], newest)).toContain("whether another manager was renamed");
});
