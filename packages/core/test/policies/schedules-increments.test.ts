import { expect, test } from "vitest";

import type { VirtualMachine } from "@ovault/contract";
import { parseConfiguration, schedulesIncrements } from "@ovault/core";

const machine = (name: string, manager = "engine"): VirtualMachine => ({
  id: name,
  name,
  manager,
  status: "up",
  disks: [],
  attributes: {},
});

test("an increment is to be expected where a policy for the machine schedules one", () => {
  const { policies } = parseConfiguration(
    `
managers: { engine: { type: ovirt } }
policies:
  both: { vms: { include: [web*], exclude: [web9] }, schedule: [{ cron: "0 1 * * *", type: full }, { cron: "0 2 * * *", type: incremental }] }
  full: { vms: { include: ["*"] }, schedule: [{ cron: "0 1 * * 0", type: full }] }
  byHand: { vms: { include: ["*"] } }
  ofOne: { manager: engine, vms: { include: [db1] }, schedule: [{ cron: "0 3 * * *", type: incremental }] }
`,
    "/etc/ovault.yaml",
  );
  const expects = (vm: VirtualMachine): boolean => schedulesIncrements(vm, policies.values());
  expect(
    [machine("web1"), machine("web9"), machine("db1"), machine("db1", "other"), machine("db2")].map(expects),
  ).toEqual([true, false, true, false, false]);
  expect(schedulesIncrements(machine("web1"), [])).toBe(false);
});
