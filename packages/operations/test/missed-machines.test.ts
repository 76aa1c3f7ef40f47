import { describe, expect, test } from "vitest";

import { machineKey, type RecoveryPoint, type VirtualMachine } from "@ovault/contract";
import { DEFAULT_RUN_LIMITS, type Policy } from "@ovault/core";
import { barePoint } from "@ovault/test-support/repository/bare-point";

import { missedMachines, missedWarnings } from "../src/select/missed-machines.ts";

const policy: Policy = {
  name: "nightly",
  manager: "prod",
  vms: { include: ["tag:backup", "db*"], exclude: ["*-test"] },
  excludeDisks: [],
  strategy: "auto",
  consistency: {},
  schedule: [],
  limits: DEFAULT_RUN_LIMITS,
};

function vm(name: string, tags: readonly string[] = ["backup"], manager = "prod", id = `id-${name}`): VirtualMachine {
  return { id, name, manager, status: "up", tags, disks: [], attributes: {} };
}

/** The newest points of machines, as they were then. */
function pointsOf(...machines: readonly VirtualMachine[]): ReadonlyMap<string, RecoveryPoint> {
  const takenAt = new Date("2026-11-30T00:00:00Z");
  return new Map(machines.map((one) => [machineKey(one), barePoint(one, { id: one.name, takenAt })]));
}

const names = (missed: readonly { readonly vm: VirtualMachine }[]): readonly string[] =>
  missed.map((one) => one.vm.name);

describe("the machines that a policy misses", () => {
  test("are those that its manager has no more, and those that lost what it selects by", () => {
    const newest = pointsOf(vm("web10"), vm("web2"), vm("db1", []), vm("app"), vm("kept"), vm("renamed"));
    const inventory = [vm("app", []), vm("kept"), vm("new"), vm("www", ["backup"], "prod", "id-renamed")];
    const { gone, unselected } = missedMachines(policy, inventory, newest);
    expect(names(gone)).toEqual(["db1", "web2", "web10"]);
    expect(names(unselected)).toEqual(["app"]);
    expect(missedWarnings(policy, { gone, unselected })).toEqual([
      expect.stringMatching(
        /^policy nightly: gone from prod since their last points: db1 \(id-db1, 2026-.*web2.*web10/,
      ),
      expect.stringMatching(/^policy nightly: not selected any more since their last points: app \(id-app, 2026-/),
    ]);
  });

  test("are none that it never selected, that it excludes, or that another manager has under the same id", () => {
    const newest = pointsOf(vm("mail", []), vm("db-test", []), vm("erp", ["backup"], "dr"));
    expect(missedMachines(policy, [], newest)).toEqual({ gone: [], unselected: [] });
    const both = pointsOf(vm("erp"), vm("erp", ["backup"], "dr"));
    expect(names(missedMachines(policy, [vm("other", ["backup"], "dr", "id-erp")], both).gone)).toEqual(["erp"]);
    expect(missedWarnings(policy, { gone: [], unselected: [] })).toEqual([]);
  });
});
