import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { machineKey, type MachineIdentity, type RecoveryPoint } from "@ovault/contract";
import { inOrder, orderInDoubt } from "@ovault/core";
import { MemoryStore } from "@ovault/testkit";
import { barePoint, datedId } from "@ovault/test-support/repository/bare-point";
import { smallRepository } from "@ovault/test-support/repository/small-repository";
import { never } from "@ovault/test-support/repository/take-point";

import { newPointId } from "../../src/points/point-id.ts";
import type { OrderedPoint } from "../../src/points/point-order.ts";
import { selectPoints } from "../../src/retention/select-points.ts";

const web: MachineIdentity = { manager: "prod", id: "vm-0" };
const now = new Date("2026-11-30T12:00:00Z");

const at = (time: string): Date => new Date(`2026-11-30T${time}:00Z`);
const ids = (points: readonly OrderedPoint[]): readonly string[] => points.map(({ id }) => id);

/** A point of a release whose ids the clock alone made; named like its time when it is not given. */
function dated(takenAt: Date, basePoint: OrderedPoint | null = null): OrderedPoint {
  return { id: datedId(takenAt), vm: web, takenAt: takenAt.toISOString(), basePoint: basePoint?.id ?? null };
}

describe("the order of points", () => {
  const machines = fc.record({ manager: fc.constantFrom("prod", "dr"), id: fc.constantFrom("vm-0", "vm-1") });
  /** Of any node: right, minutes or years off, before 1970 never. */
  const clocks = fc.date({ min: new Date("1971-01-01"), max: new Date("2199-12-31"), noInvalidDate: true });
  const seals = fc.record({
    kind: fc.constant("seal" as const),
    machine: machines,
    clock: clocks,
    based: fc.boolean(),
  });
  const forgets = fc.record({ kind: fc.constant("forget" as const), machine: machines, nth: fc.nat(20) });
  const steps = fc.array(fc.oneof({ weight: 3, arbitrary: seals }, forgets), { maxLength: 20 });

  test("of a machine is that of its seals, whatever clocks say and whatever machine shares its id", async () => {
    // What releases before left: dated by one clock that never jumped.
    const earlier = fc.array(fc.tuple(machines, fc.boolean()), { maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(earlier, steps, async (old, actions) => {
        const { points } = await smallRepository(new MemoryStore(), 512);
        const sealed = new Map<string, RecoveryPoint[]>();
        const seal = async (machine: MachineIdentity, based: boolean, id: string, takenAt: Date): Promise<void> => {
          const own = sealed.get(machineKey(machine)) ?? [];
          const point = barePoint(machine, { id, takenAt, basePoint: based ? (own.at(-1)?.id ?? null) : null });
          await points.seal(point, never);
          sealed.set(machineKey(machine), [...own, point]);
        };
        for (const [day, [machine, based]] of old.entries()) {
          const takenAt = new Date(Date.UTC(2026, 0, 1 + day));
          await seal(machine, based, datedId(takenAt), takenAt);
        }
        for (const action of actions) {
          const { machine } = action;
          if (action.kind === "seal") {
            const id = await points.nextId(machine, action.clock, never);
            await seal(machine, action.based, id, action.clock);
            continue;
          }
          const own = sealed.get(machineKey(machine)) ?? [];
          const [gone] = own.length === 0 ? [] : own.splice(action.nth % own.length, 1);
          if (gone !== undefined) await points.forget(gone, never);
        }
        const { points: all } = await points.list(never);
        const newest = await points.newest(never);
        for (const [key, own] of sealed) {
          expect(ids(all.filter(({ vm }) => machineKey(vm) === key))).toEqual(ids(own));
          expect(newest.get(key)?.id).toBe(own.at(-1)?.id);
          const last = own.at(-1);
          if (last === undefined) continue;
          expect(ids((await points.listOf(last.vm, never)).points)).toEqual(ids(own));
          // The dates of old points may all be right, and those of new ones decide nothing.
          const selection = selectPoints(all, { keepLast: 1 }, { now });
          expect(ids(selection.keep.map(({ point }) => point))).toContain(last.id);
          expect(orderInDoubt(own, new Date("2026-02-01"))).toBeUndefined();
        }
      }),
    );
  });

  test("of one machine does not depend on points of others, nor on the order in which they come", () => {
    const point = fc.record({
      machine: machines,
      clock: clocks,
      form: fc.constantFrom("dated", "tagged"),
      base: fc.nat(9),
    });
    fc.assert(
      fc.property(fc.array(point, { maxLength: 10 }), fc.nat(), (drafts, turn) => {
        const all: OrderedPoint[] = [];
        for (const { machine, clock, form, base } of drafts) {
          const id = form === "dated" ? datedId(clock) : newPointId(clock, "00000000", ids(all));
          all.push({ id, vm: machine, takenAt: clock.toISOString(), basePoint: all[base]?.id ?? null });
        }
        const ordered = inOrder(all);
        expect(ordered.toSorted(byId)).toEqual(all.toSorted(byId));
        expect(inOrder([...all.slice(turn % 10), ...all.slice(0, turn % 10)])).toEqual(ordered);
        for (const [key, own] of Map.groupBy(all, ({ vm }) => machineKey(vm))) {
          expect(ids(inOrder(own))).toEqual(ids(ordered.filter(({ vm }) => machineKey(vm) === key)));
        }
      }),
    );
  });

  test("puts a point of an older release behind its base, and one of this release behind all that were there", () => {
    const ahead = dated(at("10:10"));
    const right = dated(at("10:01"), ahead);
    expect(inOrder([right, ahead])).toEqual([ahead, right]);
    const id = newPointId(at("10:02"), "00000000", ids([ahead, right]));
    const next: OrderedPoint = { id, vm: web, takenAt: at("10:02").toISOString(), basePoint: null };
    expect(inOrder([next, right, ahead])).toEqual([ahead, right, next]);
  });

  test("does not hang on points that are each other's base", () => {
    const one = dated(at("10:00"));
    const other = dated(at("11:00"), one);
    const round = { ...one, basePoint: other.id };
    expect(inOrder([round, other])).toHaveLength(2);
  });
});

function byId(a: OrderedPoint, b: OrderedPoint): number {
  return a.id < b.id ? -1 : 1;
}

function doubtful(...points: readonly OrderedPoint[]): readonly string[] | undefined {
  const doubt = orderInDoubt(points, now);
  return doubt && ids(doubt.points);
}

describe("the order of points of older releases", () => {
  const year2036 = new Date("2036-01-01T00:00:00Z");

  test("is certain while their dates are in the past and never before that of their base", () => {
    const first = dated(at("09:00"));
    expect(doubtful(first, dated(at("10:00"), first), dated(at("11:00")))).toBeUndefined();
    expect(doubtful(first, dated(new Date(now.getTime() + 60_000)))).toBeUndefined();
    expect(doubtful(dated(year2036))).toBeUndefined();
  });

  test("is in doubt with a date in the future that no chain explains, and then nothing is forgotten by rules", () => {
    const [right, wrong] = [dated(at("01:00")), dated(year2036)];
    expect(doubtful(right, wrong)).toEqual([wrong.id]);
    for (const rules of [{ keepLast: 1 }, { keepYearly: 1 }]) {
      const { keep, forget } = selectPoints([right, wrong], rules, { now });
      expect(forget).toEqual([]);
      expect(keep.map(({ reasons }) => reasons)).toEqual([["order in doubt"], ["order in doubt"]]);
    }
    expect(doubtful(right, dated(year2036, right))).toBeUndefined();
  });

  test("is in doubt when a chain runs backwards and another point may lie between", () => {
    const ahead = dated(at("10:10"));
    const right = dated(at("10:01"), ahead);
    expect(doubtful(ahead, right)).toBeUndefined();
    expect(doubtful(ahead, right, dated(at("10:05")))).toEqual([right.id]);
    expect(doubtful(dated(at("10:05")), ahead, right)).toEqual([right.id]);
    expect(selectPoints([ahead, right], { keepLast: 1 }, { now }).forget).toEqual([ahead]);
  });

  test("in doubt keeps the points of that machine alone", () => {
    const [right, wrong] = [dated(at("01:00")), dated(year2036)];
    const other = [at("02:00"), at("03:00")].map((taken) => ({ ...dated(taken), vm: { ...web, manager: "dr" } }));
    expect(selectPoints([right, wrong, ...other], { keepLast: 1 }, { now }).forget).toEqual([other[0]]);
  });
});

describe("an id", () => {
  test("is later than all that it knows of, and two are never the same", () => {
    const clocks = fc.date({ min: new Date(0), max: new Date("9998-12-31"), noInvalidDate: true });
    fc.assert(
      fc.property(fc.array(clocks, { minLength: 1 }), (instants) => {
        const chosen: string[] = [];
        for (const instant of instants) chosen.push(newPointId(instant, "0123abcd", chosen));
        expect(new Set(chosen).size).toBe(chosen.length);
        expect(chosen).toEqual(chosen.toSorted());
        expect(chosen[0]?.slice(0, 8)).toBe(instants[0]?.toISOString().slice(0, 10).replaceAll("-", ""));
      }),
    );
  });

  test("takes no notice of what is no date, and says so at the end of time", () => {
    const odd = ["99999999-999999-00000000", "p1", "zzz", "20261301-000000-00000000"];
    expect(newPointId(at("10:00"), "00000000", odd)).toMatch(/^20261130-100000-[0-9a-f]{8}-00000000$/);
    expect(() => newPointId(now, "00000000", ["99991231-235959-00000000"])).toThrow(/end of time/);
  });
});
