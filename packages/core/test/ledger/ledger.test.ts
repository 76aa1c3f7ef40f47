import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFile, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { describe, expect, onTestFinished, test } from "vitest";

import { type LedgerEntry, processIdentity } from "@ovault/contract";
import { FileLedger } from "@ovault/core";
import { tally } from "@ovault/testkit";

const options = { runId: "run-1", manager: "engine", strategy: "changed-block-tracking" };
const backup = { kind: "backup", title: "backup of web01", detail: { vmId: "vm-1" } };

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "ovault-ledger-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  return directory;
}

/** Changes who a run's file says its process was. */
async function disguise(path: string, as: object): Promise<void> {
  const text = await readFile(path, "utf8");
  const own = JSON.stringify(processIdentity());
  expect(text).toContain(own);
  await writeFile(path, text.replace(own, JSON.stringify({ ...processIdentity(), ...as })));
}

const titles = (entries: readonly LedgerEntry[]) => entries.map((entry) => entry.title);

describe("the ledger", () => {
  test("a run that closes everything leaves no file", async () => {
    const directory = await temporaryDirectory();
    const ledger = await FileLedger.open(join(directory, "state", "ledger"));
    const run = await ledger.forRun(options);
    const handle = await run.open(backup);
    const path = join(directory, "state", "ledger", "run-1.jsonl");
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    await handle.amend({ backupId: "b-1" });
    expect(handle.entry).toMatchObject({ ...options, ...backup, detail: { vmId: "vm-1", backupId: "b-1" } });
    await handle.close();
    await run.end();
    expect(await readdir(join(directory, "state", "ledger"))).toEqual([]);
  });

  test("a run knows what it and dead runs have not removed, and nothing of other living runs", async () => {
    const ledger = await FileLedger.open(await temporaryDirectory());
    const [own, living, dead] = await Promise.all(
      ["own", "living", "dead"].map((runId) => ledger.forRun({ ...options, runId })),
    );
    for (const run of [own, living, dead]) await run?.open({ ...backup, title: `of ${run.runId}` });
    const handle = await own?.open({ ...backup, title: "amended" });
    await handle?.amend({ backupId: "b-1" });
    await (await own?.open({ ...backup, title: "closed" }))?.close();
    await dead?.end();
    const outstanding = (await own?.outstanding()) ?? [];
    expect(titles(outstanding)).toEqual(["of own", "amended", "of dead"]);
    expect(outstanding[1]?.detail).toEqual({ vmId: "vm-1", backupId: "b-1" });
    await Promise.all([own?.end(), living?.end()]);
  });

  test("what a living run has open is active, and abandoned once the run has ended", async () => {
    const ledger = await FileLedger.open(await temporaryDirectory());
    const run = await ledger.forRun(options);
    await run.open(backup);
    await (await run.open({ ...backup, title: "closed" })).close();
    expect(titles((await ledger.report()).active)).toEqual(["backup of web01"]);
    expect(await ledger.abandoned()).toEqual([]);
    await run.end();
    expect(titles(await ledger.abandoned())).toEqual(["backup of web01"]);
  });

  test("a run of the boot before, under this node's name, is over", async () => {
    const directory = await temporaryDirectory();
    const ledger = await FileLedger.open(directory);
    const run = await ledger.forRun(options);
    await run.open(backup);
    await disguise(join(directory, "run-1.jsonl"), { bootId: "another" });
    expect(titles(await ledger.abandoned())).toEqual(["backup of web01"]);
    await run.end();
  });

  test("a pid that was given to another process does not keep a run alive", async () => {
    const directory = await temporaryDirectory();
    const ledger = await FileLedger.open(directory);
    const run = await ledger.forRun(options);
    await run.open(backup);
    await disguise(join(directory, "run-1.jsonl"), { startTicks: 1 });
    expect(titles(await ledger.abandoned())).toEqual(["backup of web01"]);
    await run.end();
  });

  test.each([{ node: "another" }, { pidNamespace: "pid:[1]" }])("a run of %o is for a person to judge", async (as) => {
    const directory = await temporaryDirectory();
    const ledger = await FileLedger.open(directory);
    const run = await ledger.forRun(options);
    await run.open(backup);
    await disguise(join(directory, "run-1.jsonl"), as);
    expect(await ledger.report()).toMatchObject({ abandoned: [], active: [], elsewhere: [{ title: backup.title }] });
    await run.end();
  });

  test("struck entries are forgotten, the file with the last one, by many at once and twice", async () => {
    const directory = await temporaryDirectory();
    const ledgers = await Promise.all([FileLedger.open(directory), FileLedger.open(directory)]);
    const run = await ledgers[0].forRun(options);
    for (let i = 0; i < 20; i++) await run.open({ ...backup, title: `${i}` });
    await run.end();
    const [first, ...others] = await ledgers[1].abandoned();
    expect(others).toHaveLength(19);
    await Promise.all(ledgers.flatMap((ledger) => others.map((entry) => ledger.resolve(entry))));
    expect(await ledgers[0].abandoned()).toEqual([first]);
    if (first !== undefined) await ledgers[0].resolve(first);
    expect(await readdir(directory)).toEqual([]);
    if (first !== undefined) await ledgers[1].resolve(first);
    expect(await readdir(directory)).toEqual([]);
  });

  test("a resolution after a torn line counts, and the file goes", async () => {
    const directory = await temporaryDirectory();
    const ledger = await FileLedger.open(directory);
    const run = await ledger.forRun(options);
    await run.open(backup);
    await run.end();
    await appendFile(join(directory, "run-1.jsonl"), '\n{"type":"opened","entry":{"id":"');
    const [entry] = await ledger.abandoned();
    expect(entry).toMatchObject(backup);
    if (entry !== undefined) await ledger.resolve(entry);
    expect(await readdir(directory)).toEqual([]);
  });

  test("a damaged line in the middle is reported and loses no other entry", async () => {
    const directory = await temporaryDirectory();
    const path = join(directory, "run-1.jsonl");
    const ledger = await FileLedger.open(directory);
    const run = await ledger.forRun(options);
    for (const title of ["one", "two", "three"]) await run.open({ ...backup, title });
    await run.end();
    await writeFile(path, (await readFile(path, "utf8")).replace('"title":"two"', '"title":"tw\0'));
    const report = await ledger.report();
    expect(titles(report.abandoned)).toEqual(["one", "three"]);
    expect(report.damaged).toEqual([{ file: path, lines: [6] }]);
    for (const entry of report.abandoned) await ledger.resolve(entry);
    expect((await ledger.report()).damaged).toHaveLength(1);
  });

  test("entries survive the loss of the first line, for a person to judge", async () => {
    const directory = await temporaryDirectory();
    const path = join(directory, "run-1.jsonl");
    const ledger = await FileLedger.open(directory);
    const run = await ledger.forRun(options);
    await run.open(backup);
    await writeFile(path, (await readFile(path, "utf8")).replace('"type":"run"', '"type":"'));
    expect(await ledger.report()).toMatchObject({ elsewhere: [backup], damaged: [{ file: path }] });
    await run.end();
  });

  test("one run id has one ledger, and a name that is a path is none", async () => {
    const ledger = await FileLedger.open(await temporaryDirectory());
    const run = await ledger.forRun(options);
    await expect(ledger.forRun(options)).rejects.toMatchObject({ code: "E_LEDGER" });
    await expect(ledger.forRun({ ...options, runId: "../x" })).rejects.toMatchObject({ code: "E_LEDGER" });
    await run.end();
  });

  test("kill -9 at any moment: all that was opened and not closed is abandoned", async () => {
    const directory = await temporaryDirectory();
    for (let round = 0; round < 4; round++) {
      const runId = `killed-${round}`;
      const program = fileURLToPath(new URL("./support/killed-run.ts", import.meta.url));
      const child = spawn(process.execPath, [program, directory, runId], { stdio: ["ignore", "pipe", "inherit"] });
      const said: string[] = [];
      const reader = createInterface({ input: child.stdout }).on("line", (line) => said.push(line));
      await once(reader, "line");
      await delay(round * 29);
      child.kill("SIGKILL");
      tally("kills");
      await Promise.all([once(child, "close"), once(reader, "close")]);

      const open = said.filter(
        (line) => line.startsWith("opened") && !said.includes(line.replace("opened", "closing")),
      );
      const entries = (await (await FileLedger.open(directory)).abandoned()).filter((entry) => entry.runId === runId);
      expect(titles(entries)).toEqual(expect.arrayContaining(open.map((line) => line.replace("opened", "disk"))));
    }
    const ledger = await FileLedger.open(directory);
    for (const entry of await ledger.abandoned()) await ledger.resolve(entry);
    await FileLedger.open(directory);
    expect(await readdir(directory)).toEqual([]);
  });
});
