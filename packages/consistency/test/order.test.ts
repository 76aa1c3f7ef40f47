import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import * as fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";

import { consistencyOf, consistencySchema } from "@ovault/consistency";
import type { Manager, RecoveryPoint, RunHooks } from "@ovault/contract";
import { backupVirtualMachine, FileLedger } from "@ovault/core";
import { MemoryStore, ModelPlatform, ModelStrategy } from "@ovault/testkit";

import { smallRepository } from "@ovault/test-support/repository/small-repository";
import { hostIn, never } from "./support/bench.ts";
import { type Freeze, Guest, hurried, type Thaw } from "./support/guest.ts";

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "ovault-order-"));
});
afterAll(async () => {
  await rm(directory, { recursive: true });
});

interface Command {
  readonly fails: boolean;
  readonly onFailure: "abort" | "warn";
}

interface Scenario {
  readonly quiesce: "require" | "try";
  readonly freeze: Freeze;
  readonly thaws: readonly Thaw[];
  readonly before: readonly Command[];
  readonly after: readonly Command[];
  readonly snapshotFails: boolean;
  /** The run is cancelled when so much has happened. */
  readonly cancelAt: number;
  /** Another plugin fails after the snapshot, before any other. */
  readonly otherFails: boolean;
}

const command = fc.record<Command>({ fails: fc.boolean(), onFailure: fc.constantFrom("abort", "warn") });
const commands = fc.array(command, { maxLength: 2 });

const scenarios: fc.Arbitrary<Scenario> = fc.record({
  quiesce: fc.constantFrom("require", "try"),
  freeze: fc.constantFrom("ok", "ok", "refused", "lost"),
  thaws: fc.array(fc.constantFrom("ok", "refused", "lost"), { maxLength: 2 }),
  before: commands,
  after: commands,
  snapshotFails: fc.boolean(),
  cancelAt: fc.constantFrom(99, 99, 1, 2, 3, 4),
  otherFails: fc.boolean(),
});

interface Seen {
  /** Everything in its order. */
  readonly events: readonly string[];
  readonly point: RecoveryPoint | undefined;
  readonly error: unknown;
  readonly guest: Guest;
  /** Frozen guests that are left in the ledger. */
  readonly noted: readonly string[];
}

function configured(side: string, list: readonly Command[]): object[] {
  return list.map(({ fails, onFailure }, at) => ({ name: `${side}${at}`, run: [fails ? "false" : "true"], onFailure }));
}

async function play(scenario: Scenario): Promise<Seen> {
  const events: string[] = [];
  const cancelling = new AbortController();
  const happened = (event: string): void => {
    events.push(event);
    if (events.length === scenario.cancelAt) cancelling.abort(new Error("cancelled"));
  };
  const platform = new ModelPlatform();
  platform.disks.set("a", { bytes: new Uint8Array(1_000), extents: [{ offset: 0, length: 1_000, kind: "data" }] });
  platform.step = (name) => {
    if (name !== "instant") return;
    happened("snapshot");
    if (scenario.snapshotFails) throw new Error("no snapshot");
  };
  const guest = new Guest(scenario.freeze, scenario.thaws, events);
  const manager: Manager = {
    name: "model",
    kind: "model",
    quiescing: guest,
    inventory: async () => [platform.vm()],
    close: async () => undefined,
  };
  const options = consistencySchema.parse({
    quiesce: scenario.quiesce,
    freeze: "explicit",
    commands: { before: configured("before", scenario.before), after: configured("after", scenario.after) },
  });
  const ledger = await FileLedger.open(directory);
  const { quiesce, tap } = consistencyOf(options, { ...hostIn(directory), manager, ledger, clock: hurried() });
  const watch = (hooks: RunHooks): void => {
    hooks.phase.tap("test", ({ detail }) => {
      const [, name] = /^(\w+): starts$/.exec(detail) ?? [];
      if (name !== undefined) happened(name);
    });
    hooks.afterSnapshot.tap({ name: "other", stage: -Infinity }, () => {
      if (scenario.otherFails) throw new Error("another plugin failed");
    });
  };
  const outcome = await backupVirtualMachine({
    vm: platform.vm(),
    strategy: new ModelStrategy(platform),
    store: await smallRepository(new MemoryStore(), 512),
    ledger,
    full: false,
    quiesce,
    excludeDisks: [],
    taps: [watch, tap],
    ifBusy: "refuse",
    signal: scenario.cancelAt < 99 ? cancelling.signal : never,
  }).then(
    (point) => ({ point, error: undefined }),
    (error: unknown) => ({ point: undefined, error }),
  );
  const { active, abandoned } = await ledger.report();
  for (const entry of abandoned) await ledger.resolve(entry);
  const noted = [...active, ...abandoned].map(({ kind }) => kind).filter((kind) => kind === "freeze");
  return { events, guest, noted, ...outcome };
}

const names = (side: string, list: readonly Command[]): string[] => list.map((_, at) => `${side}${at}`);

test("whatever fails or is cancelled: the order is kept, what was frozen is thawed, and commands after run once", async () => {
  await fc.assert(
    fc.asyncProperty(scenarios, async (scenario) => {
      const { events, guest, point, noted } = await play(scenario);
      const sides = events.map((event) => event.replace(/\d$/, ""));
      expect(sides.join(" ")).toMatch(/^(before ?)*(freeze ?)?(frozen ?)?(thaw ?)*(snapshot ?)?(thaw ?)*(after ?)*$/);
      expect(events.filter((event) => event.startsWith("after"))).toEqual(names("after", scenario.after));
      const ran = events.filter((event) => event.startsWith("before"));
      expect(ran).toEqual(names("before", scenario.before).slice(0, ran.length));
      expect(guest.frozen).toBe(false);
      expect(noted).toEqual([]);
      expect(events.includes("freeze")).toBe(events.includes("thaw"));
      // No point without what was required.
      expect(point !== undefined && scenario.quiesce === "require" && point.consistency !== "filesystem").toBe(false);
      const ends = [...scenario.before, ...scenario.after].some(
        ({ fails, onFailure }) => fails && onFailure === "abort",
      );
      expect(point !== undefined && (ends || scenario.snapshotFails)).toBe(false);
    }),
    { numRuns: 30 },
  );
});

const calm: Scenario = {
  quiesce: "require",
  freeze: "ok",
  thaws: [],
  before: [{ fails: false, onFailure: "abort" }],
  after: [{ fails: false, onFailure: "warn" }],
  snapshotFails: false,
  cancelAt: 99,
  otherFails: false,
};

test("where all goes well, the point says that its file systems were at rest", async () => {
  const { events, point } = await play(calm);
  expect(events).toEqual(["before0", "freeze", "frozen", "snapshot", "thaw", "after0"]);
  expect(point).toMatchObject({ consistency: "filesystem", warnings: [] });
});

function failing(onFailure: Command["onFailure"]): readonly Command[] {
  return [{ fails: true, onFailure }];
}

test("a failed command is a warning in the point, or the error of the run, as its policy says", async () => {
  const warned = await play({ ...calm, before: failing("warn"), after: failing("warn") });
  expect(warned.point?.warnings).toEqual([
    expect.stringContaining("before0 before the snapshot failed: it ended with exit code 1"),
    expect.stringContaining("after0 after the snapshot failed"),
  ]);
  const before = await play({ ...calm, before: failing("abort") });
  expect(before.error).toMatchObject({ code: "E_COMMAND", context: { command: "before0" } });
  expect(before.events).toEqual(["before0", "after0"]);
  const after = await play({ ...calm, after: failing("abort") });
  expect(after.error).toMatchObject({ code: "E_COMMAND", context: { command: "after0" } });
});

test("a guest that cannot be frozen ends the run or causes a warning, as configured, and is thawed before the snapshot", async () => {
  const required = await play({ ...calm, freeze: "refused" });
  expect(required.error).toMatchObject({ code: "E_QUIESCE", message: expect.stringContaining("no guest agent") });
  expect(required.events).toEqual(["before0", "freeze", "thaw", "after0"]);
  const tried = await play({ ...calm, quiesce: "try", freeze: "refused" });
  expect(tried.events).toEqual(["before0", "freeze", "thaw", "snapshot", "after0"]);
  expect(tried.point).toMatchObject({
    consistency: "crash",
    warnings: ["the file systems of web01 were not frozen: no guest agent"],
  });
});

test("a guest that cannot be thawed causes a warning with what to do", async () => {
  const { point, noted } = await play({ ...calm, quiesce: "try", thaws: Array<Thaw>(500).fill("refused") });
  expect(noted).toEqual(["freeze"]);
  expect(point?.warnings).toEqual([expect.stringMatching(/web01 MAY BE FROZEN.*fsfreeze --unfreeze/)]);
});
