import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, expect, test } from "vitest";

import type { Diagnosis } from "@ovault/contract";
import { FileLedger } from "@ovault/core";
import { runOvault } from "@ovault/test-support/ovault/run-ovault";

const moduleOf = (name: string): string => JSON.stringify(import.meta.resolve(name));

/** Finds everything but what is called gone. */
const PLUGINS = {
  "manager.mjs": `
    const options = { "~standard": { version: 1, vendor: "test", validate: (value) => ({ value }) } };
    const create = async (_options, { name }) => ({ name, kind: "model", inventory: async () => [], close: async () => {} });
    export default { kind: "manager", name: "model", apiVersion: 1, options, create };
  `,
  "strategy.mjs": `
    import { ModelPlatform, ModelStrategy } from ${moduleOf("@ovault/testkit")};
    const options = { "~standard": { version: 1, vendor: "test", validate: (value) => ({ value }) } };
    class Leaving extends ModelStrategy {
      async leftovers(entries) {
        const found = await super.leftovers(entries);
        return found.map((leftover) => ({ ...leftover, gone: leftover.entry.title.startsWith("gone") }));
      }
    }
    const create = async () => new Leaving(new ModelPlatform());
    export default { kind: "strategy", name: "model", apiVersion: 1, managerKind: "model", options, create };
  `,
};

let cwd: string;
beforeEach(async () => {
  cwd = await mkdtemp(join(tmpdir(), "ovault-doctor-"));
  for (const [file, text] of Object.entries(PLUGINS)) await writeFile(join(cwd, file), text);
  const plugins = Object.keys(PLUGINS).map((file) => `./${file}`);
  const configuration = { managers: { site: { type: "model" } }, destinations: {}, plugins };
  await writeFile(join(cwd, "ovault.yaml"), JSON.stringify(configuration), { mode: 0o600 });
});
afterEach(() => rm(cwd, { recursive: true, force: true }));

const ledger = () => FileLedger.open(join(cwd, "ovault-state", "ledger"));
const remaining = async () => (await (await ledger()).abandoned()).map(({ title }) => title);

/** What a dead run left. */
async function leave(...titles: readonly string[]): Promise<void> {
  const run = await (await ledger()).forRun({ runId: "dead", manager: "site", strategy: "model" });
  for (const title of titles) await run.open({ kind: "checkpoint", title, detail: {} });
  await run.end();
}

function leftoversIn(stdout: string): Diagnosis | undefined {
  const checks: readonly Diagnosis[] = JSON.parse(stdout);
  return checks.find(({ name }) => name === "site: leftovers");
}

test("--fix without a terminal and without --yes is a usage error that names what it would remove", async () => {
  await leave("checkpoint 1", "gone 1", "checkpoint 2");
  const { exitCode, stdout, stderr } = await runOvault(["doctor", "--fix", "--json"], { cwd });
  expect(exitCode).toBe(2);
  expect(leftoversIn(stdout)).toMatchObject({ status: "warn", detail: "checkpoint 1, checkpoint 2" });
  expect(JSON.parse(stderr)).toMatchObject({
    error: {
      code: "E_USAGE",
      message: expect.stringContaining("--fix needs --yes"),
      hint: expect.stringContaining("checkpoint 1, checkpoint 2"),
    },
  });
  expect(await remaining()).toEqual(["checkpoint 1", "gone 1", "checkpoint 2"]);
  expect((await runOvault(["doctor"], { cwd })).exitCode).toBe(0);
});

test("--fix --yes names what it removed, and counts nothing else as removed", async () => {
  await leave("checkpoint 1", "gone 1", "checkpoint 2", "gone 2");
  const { exitCode, stdout } = await runOvault(["doctor", "--fix", "--yes", "--json"], { cwd });
  expect(exitCode).toBe(0);
  expect(leftoversIn(stdout)).toMatchObject({
    status: "ok",
    detail: "removed: checkpoint 1, checkpoint 2; 2 things in the ledger, gone already",
  });
  expect(await remaining()).toEqual([]);
  await leave("gone 3");
  const nothing = await runOvault(["doctor", "--fix", "--json"], { cwd });
  expect(nothing.exitCode).toBe(0);
  expect(leftoversIn(nothing.stdout)).toMatchObject({ status: "ok", detail: "1 thing in the ledger, gone already" });
});

test("what a run of another container has is not called none, and its hint can be followed", async () => {
  await leave("checkpoint 1");
  const file = join(cwd, "ovault-state", "ledger", "dead.jsonl");
  const lines = (await readFile(file, "utf8")).split("\n").filter((line) => !line.includes('"type":"ended"'));
  await writeFile(file, lines.join("\n").replace(/"pidNamespace":"[^"]*"/, '"pidNamespace":"pid:[1]"'));
  const { stdout } = await runOvault(["doctor", "--json"], { cwd });
  expect(leftoversIn(stdout)).toMatchObject({
    status: "skip",
    detail: "none of runs that ended here; 1 thing of others, see ledger",
  });
  const checks: readonly Diagnosis[] = JSON.parse(stdout);
  expect(checks.find(({ name }) => name === "ledger")).toMatchObject({
    status: "warn",
    detail: expect.stringMatching(
      /^of runs of another machine or container, which may go on: checkpoint 1 \(.*, run dead\)$/,
    ),
    hint: expect.stringContaining(join("ovault-state", "ledger", "RUN.jsonl")),
  });
});
