import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { machineKey, type VirtualMachine } from "@ovault/contract";
import {
  DEFAULT_RUN_LIMITS,
  retentionByMachine,
  selectBySources,
  type Policy,
  type RetentionRules,
} from "@ovault/core";
import { selectPoints } from "../../src/retention/select-points.ts";

function vm(name: string): VirtualMachine {
  return { id: `id-${name}`, name, manager: "m", status: "up", disks: [], attributes: {} };
}

function policy(name: string, include: string, retention?: RetentionRules, timeZone?: string): Policy {
  const fixed = { excludeDisks: [], consistency: {}, strategy: "auto", schedule: [], limits: DEFAULT_RUN_LIMITS };
  return { name, vms: { include: [include], exclude: ["*-test"] }, retention, timeZone, ...fixed };
}

const [web, db, test1] = [vm("web01"), vm("db01"), vm("web-test")];

describe("the rules of a machine", () => {
  test("are those of its policies, else the destination's", () => {
    const policies = [
      policy("nightly", "web*", { keepLast: 7 }, "Europe/Berlin"),
      policy("monthly", "*01", { keepMonthly: 12 }),
      policy("none", "*"),
    ];
    const sources = retentionByMachine([web, db, test1], policies, { keepLast: 1 });
    expect([...sources]).toEqual([
      [
        machineKey(web),
        [
          { policy: "nightly", rules: { keepLast: 7 }, timeZone: "Europe/Berlin" },
          { policy: "monthly", rules: { keepMonthly: 12 }, timeZone: undefined },
        ],
      ],
      [machineKey(db), [{ policy: "monthly", rules: { keepMonthly: 12 }, timeZone: undefined }]],
      [machineKey(test1), [{ policy: undefined, rules: { keepLast: 1 }, timeZone: undefined }]],
    ]);
  });

  test("may be missing", () => {
    expect([...retentionByMachine([web, db], [policy("nightly", "web*", { keepLast: 1 })], undefined).keys()]).toEqual([
      machineKey(web),
    ]);
  });
});

const rules = fc.record({ keepLast: fc.integer({ min: 1, max: 4 }), keepDaily: fc.integer({ min: 1, max: 4 }) });
const points = fc.array(fc.tuple(fc.constantFrom(web, db), fc.nat(20 * 24)), { maxLength: 20 }).map((drafts) =>
  drafts
    .map(([machine, hours], index) => {
      const takenAt = new Date(Date.UTC(2026, 0, 1, hours)).toISOString();
      return { id: `p${index}`, vm: machine, takenAt };
    })
    .toSorted((a, b) => (a.takenAt < b.takenAt ? -1 : a.takenAt > b.takenAt ? 1 : 0)),
);

test("a point stays when any source of its machine wants it, and only then", () => {
  fc.assert(
    fc.property(points, fc.array(rules, { minLength: 1, maxLength: 3 }), (all, sets) => {
      const sources = sets.map((set, index) => ({ policy: `p${index}`, rules: set, timeZone: "UTC" }));
      const { keep, forget } = selectBySources(all, new Map([[machineKey(web), sources]]));
      const ofWeb = all.filter((point) => point.vm === web);
      const wanted = new Set(
        sets.flatMap((set) => selectPoints(ofWeb, set, { timeZone: "UTC" }).keep.map(({ point }) => point)),
      );
      expect(keep.map(({ point }) => point)).toEqual(all.filter((point) => point.vm !== web || wanted.has(point)));
      expect(forget).toEqual(ofWeb.filter((point) => !wanted.has(point)));
    }),
  );
});

function at(machine: VirtualMachine, day: number) {
  const takenAt = new Date(Date.UTC(2026, 0, day, 23, 30)).toISOString();
  return { id: `${machine.name}-${day}`, vm: machine, takenAt };
}

test("the reasons name the policy, and a machine without rules", () => {
  const all = [at(web, 1), at(web, 2), at(db, 3)];
  const source = { policy: "nightly", rules: { keepDaily: 1 }, timeZone: "Europe/Berlin" };
  const { keep } = selectBySources(all, new Map([[machineKey(web), [source]]]));
  expect(keep.map(({ reasons }) => reasons)).toEqual([["nightly: daily 2026-01-03"], ["no rules"]]);
  const inUtc = selectBySources(all, new Map([[machineKey(web), [source]]]), { timeZone: "UTC" });
  expect(inUtc.keep[0]?.reasons).toEqual(["nightly: daily 2026-01-02"]);
});
