import { expect, test } from "vitest";

import { machineKey, type RecoveryPoint } from "@ovault/contract";
import { renameHint } from "@ovault/operations";
import { barePoint } from "@ovault/test-support/repository/bare-point";

function pointOf(manager: string): RecoveryPoint {
  return barePoint({ manager, id: "vm-1" }, { id: manager, takenAt: new Date("2026-11-30T00:00:00Z") });
}

test("of two managers with one machine id, only the one without points of its own is advised to take the former name", () => {
  const [stray, own] = [pointOf("prod"), pointOf("dr")];
  const newest = new Map([stray, own].map((point) => [machineKey(point.vm), point]));
  expect(renameHint("prod2", [stray], newest)).toBe("Without it their next backups are full.");
  expect(renameHint("dr", [stray], newest)).toContain("whether another manager was renamed");
});
