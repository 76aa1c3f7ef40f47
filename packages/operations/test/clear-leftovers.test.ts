import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, expect, test } from "vitest";

import { CancelledError, type LedgerEntry, type Leftover, type LeftoverOwner } from "@ovault/contract";
import { FileLedger, type Ledger, ManagerNames } from "@ovault/core";
import { clearLeftovers, type Reporter } from "@ovault/operations";
import { ModelPlatform } from "@ovault/testkit";

let directory: string;
let ledger: Ledger;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "ovault-leftovers-"));
  ledger = await FileLedger.open(directory);
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const never = new AbortController().signal;
const web = { ...new ModelPlatform().vm(), id: "web" };
const manager = { name: "prod", kind: "model", inventory: async () => [web], close: async () => {} };

/** Thing of a dead run, of each of these machines. */
async function leave(...vmIds: readonly string[]): Promise<void> {
  const run = await ledger.forRun({ runId: vmIds.join("-"), manager: "prod", strategy: "model" });
  for (const vmId of vmIds) await run.open({ kind: "checkpoint", title: `checkpoint of ${vmId}`, detail: { vmId } });
  await run.end();
}

/** Removes things at once, but those of `held` never. */
function siteWhere(held: readonly string[]) {
  const owner: LeftoverOwner = {
    name: "model",
    leftovers: async (entries, _signal, onWait) => entries.map((entry) => leftoverOf(entry, onWait)),
  };
  const leftoverOf = (entry: LedgerEntry, onWait?: (what: string) => void): Leftover => ({
    entry,
    gone: false,
    action: "remove it",
    remove: async () => {
      if (!held.includes(String(entry.detail["vmId"]))) return;
      onWait?.("up to 300 s: a backup holds it");
      await new Promise(() => {});
    },
  });
  return {
    ledger: async () => ledger,
    managerNames: new ManagerNames([{ name: "prod", formerNames: [] }]),
    leftoverOwners: async () => [owner],
  };
}

const notes: string[] = [];
const reporter: Reporter = {
  note: (text) => void notes.push(text),
  warn: (text) => expect.fail(`no warning that must be shown: ${text}`),
};
beforeEach(() => void (notes.length = 0));

const remaining = async () => (await ledger.abandoned()).map(({ title }) => title);

test("what another machine holds is named at once, tried for a while, and left with one warning", async () => {
  await leave("db", "mail", "web");
  await clearLeftovers(
    siteWhere(["db", "mail"]),
    manager,
    { reporter, signal: never },
    { machinesOfRun: async () => [web], patienceMs: 50 },
  );
  expect(notes).toEqual([
    "wait, to remove what an earlier run left: up to 300 s: a backup holds it",
    "removed what an earlier run left: checkpoint of web",
    expect.stringMatching(/^warning: not waiting for the removal of checkpoint of db, checkpoint of mail: /),
  ]);
  expect(await remaining()).toEqual(["checkpoint of db", "checkpoint of mail"]);
});

test("what the machine of this run holds is waited for, until an interruption ends the wait at once", async () => {
  await leave("web");
  const abort = new AbortController();
  const context = { reporter, signal: abort.signal };
  setTimeout(() => abort.abort(new CancelledError("SIGINT")), 50);
  const clearing = clearLeftovers(siteWhere(["web"]), manager, context, {
    machinesOfRun: async () => [web],
    patienceMs: 1,
  });
  await expect(clearing).rejects.toMatchObject({ code: "E_CANCELLED" });
  expect(notes).toEqual([expect.stringContaining("a backup holds it")]);
  expect(await remaining()).toEqual(["checkpoint of web"]);
});
