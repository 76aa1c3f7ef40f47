import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, expect, test } from "vitest";

import type { LedgerEntry, Leftover, NewLedgerEntry, RecoveryPoint, RunHooks } from "@ovault/contract";
import { type BackupOptions, backupVirtualMachine, FileLedger, type Ledger, type Repository } from "@ovault/core";
import { MemoryStore, ModelPlatform, ModelStrategy } from "@ovault/testkit";

import { smallRepository } from "@ovault/test-support/repository/small-repository";
import { never } from "@ovault/test-support/repository/take-point";

/** Keeps something for each point, by its run. */
class Keeping extends ModelStrategy {
  override readonly name = "keeping";
  readonly kept = new Set<string>();
  readonly asked: (readonly string[])[] = [];
  #stuck = false;

  stick(): void {
    this.#stuck = true;
  }

  keeps({ runId }: RecoveryPoint): readonly NewLedgerEntry[] {
    return [{ kind: "snapshot", title: "old snapshot", detail: { run: runId } }];
  }

  override async leftovers(entries: readonly LedgerEntry[]): Promise<readonly Leftover[]> {
    this.asked.push(entries.map(({ title }) => title));
    return entries.map((entry) => {
      const run = String(entry.detail["run"]);
      const remove = async (): Promise<void> => {
        if (this.#stuck) throw new Error("it is stuck");
        this.kept.delete(run);
      };
      return { entry, gone: !this.kept.has(run), action: "remove it", remove };
    });
  }
}

let directory: string;
let ledger: Ledger;
let repository: Repository;
let platform: ModelPlatform;
let keeping: Keeping;
let other: ModelStrategy;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "ovault-runs-"));
  ledger = await FileLedger.open(directory);
  repository = await smallRepository(new MemoryStore(), 512);
  platform = new ModelPlatform();
  platform.disks.set("a", { bytes: new Uint8Array(600).fill(7), extents: [{ offset: 0, length: 600, kind: "data" }] });
  [keeping, other] = [new Keeping(platform), new ModelStrategy(platform)];
  keeping.kept.add((await backup({ strategy: keeping })).runId);
});
afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

function backup(options: Partial<BackupOptions> = {}): Promise<RecoveryPoint> {
  return backupVirtualMachine({
    vm: platform.vm(),
    strategy: other,
    strategies: [other, keeping],
    store: repository,
    ledger,
    full: false,
    excludeDisks: [],
    taps: [],
    ifBusy: "refuse",
    signal: never,
    ...options,
  });
}

function veto(hooks: RunHooks): void {
  hooks.beforeSeal.tap("test", () => {
    throw new Error("vetoed");
  });
}

test("what the last point keeps goes when a point of another strategy is sealed", async () => {
  await backup();
  expect(keeping.kept.size).toBe(0);
  expect(await ledger.abandoned()).toEqual([]);
});

test("a strategy releases its own base itself, and nothing is done about an unknown one", async () => {
  await backup({ strategy: keeping });
  await backup({ strategies: [other] });
  expect(keeping.kept.size).toBe(1);
  expect(await ledger.abandoned()).toEqual([]);
});

test("a point that is not sealed supersedes nothing", async () => {
  await expect(backup({ taps: [veto] })).rejects.toThrow("vetoed");
  expect(keeping.kept.size).toBe(1);
  expect(await ledger.abandoned()).toEqual([]);
});

test("it is in the ledger before the point is sealed", async () => {
  const seen: string[] = [];
  const look = (hooks: RunHooks): void =>
    hooks.beforeSeal.tapPromise("test", async () => {
      seen.push(...(await ledger.report()).active.map(({ strategy, title }) => `${strategy}: ${title}`));
    });
  await backup({ taps: [look] });
  expect(seen).toEqual(["keeping: old snapshot"]);
});

test("the strategy is told what its dead runs left, and removes none of that here", async () => {
  const dead = await ledger.forRun({ runId: "dead", manager: platform.vm().manager, strategy: "keeping" });
  await dead.open({ kind: "process", title: "reader", detail: { run: "dead" } });
  await dead.end();
  keeping.kept.add("dead");
  await backup();
  expect(keeping.asked.at(-1)).toEqual(["old snapshot", "reader"]);
  expect([...keeping.kept]).toEqual(["dead"]);
  expect((await ledger.abandoned()).map(({ title }) => title)).toEqual(["reader"]);
});

test("what cannot be removed is reported, and stays in the ledger", async () => {
  keeping.stick();
  const warnings: string[] = [];
  await backup({ taps: [(hooks) => hooks.warning.tap("test", (message) => void warnings.push(message))] });
  expect(warnings).toEqual([expect.stringMatching(/kept for an increment is still there: it is stuck/)]);
  expect(await ledger.abandoned()).toMatchObject([{ strategy: "keeping", kind: "snapshot", title: "old snapshot" }]);
});
