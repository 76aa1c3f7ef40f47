import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

import { afterEach, beforeEach, expect, test } from "vitest";

import { IntegrityError } from "@ovault/contract";
import {
  backupJobSchema,
  copyJobSchema,
  forgetJobSchema,
  planCopy,
  planForget,
  planPrune,
  planRepair,
  pruneJobSchema,
  repairJobSchema,
  runBackup,
  runCopy,
  runForget,
  runPrune,
  runRepair,
  runVerify,
  verifyJobSchema,
  type Installation,
  type RunCounts,
  type RunEvent,
} from "@ovault/operations";

import { ModelSite } from "../support/model-site.ts";

let site: ModelSite;
let installation: Installation;
beforeEach(async () => {
  site = await ModelSite.open();
  installation = await site.installation();
  await runBackup(installation, backupJobSchema.parse({ kind: "backup", vms: ["web01", "db01"] }), site.context);
});
afterEach(async () => {
  await installation[Symbol.asyncDispose]();
  await site[Symbol.asyncDispose]();
});

const copy = copyJobSchema.parse({ kind: "copy", all: true, to: "offsite" });
const forget = forgetJobSchema.parse({ kind: "forget", points: ["web01@latest"] });
const prune = pruneJobSchema.parse({ kind: "prune" });
const verify = verifyJobSchema.parse({ kind: "verify" });
const verifyOne = verifyJobSchema.parse({ kind: "verify", point: "web01@latest" });
const repair = repairJobSchema.parse({ kind: "repair" });

/** Everything that runs here, and the number of its events. */
async function runAll(): Promise<void> {
  await runVerify(installation, verify, site.context);
  await runVerify(installation, verifyOne, site.context);
  await runCopy(installation, copy, site.context);
  await runRepair(installation, repair, site.context);
  await runForget(installation, forget, site.context);
  await runPrune(installation, prune, site.context);
}

function eventsByRun(): readonly (readonly RunEvent[])[] {
  return [...Map.groupBy(site.events, ({ runId }) => runId).values()];
}

test("every job is one run, from started to one end, and its events survive JSON unchanged", async () => {
  await runAll();
  const runs = eventsByRun();
  expect(runs.map(([first]) => first?.job)).toEqual([
    "backup",
    "backup",
    "verify",
    "verify",
    "copy",
    "repair",
    "forget",
    "prune",
  ]);
  for (const events of runs) {
    expect(events[0]?.kind).toBe("started");
    const ends = events.filter(({ kind }) => kind === "finished" || kind === "failed");
    expect(ends).toEqual([events.at(-1)]);
  }
  for (const event of site.events) expect(JSON.parse(JSON.stringify(event))).toStrictEqual(event);
});

test("a run's last event has its result, and counts come before it", async () => {
  const copied = await runCopy(installation, copy, site.context);
  const { report } = await runPrune(installation, prune, site.context);
  const verified = await runVerify(installation, verifyOne, site.context);
  const [, , ofCopy, ofPrune, ofVerify] = eventsByRun();
  expect(ofCopy?.at(-1)).toMatchObject({ kind: "finished", result: copied });
  expect(ofPrune?.at(-1)).toMatchObject({ kind: "finished", result: report });
  expect(ofVerify?.at(-1)).toMatchObject({ kind: "finished", result: verified, machine: { name: "web01" } });
  expect(ofCopy?.findLast(({ kind }) => kind === "counted")).toMatchObject({
    counts: { of: "copy", doneBytes: 100_000 },
  });
  expect(ofVerify?.at(-2)).toMatchObject({ kind: "counted", counts: { of: "verify", bytes: verified.bytes } });
  const announced = copied.map(({ point, vm }) => ({ id: point, vm: vm.name, logicalBytes: 100_000 }));
  expect(ofCopy?.[1]).toMatchObject({ kind: "points", points: expect.arrayContaining(announced) });
  expect(ofCopy?.at(-2)).toMatchObject({ kind: "point", result: copied.at(-1) });
  expect(ofPrune?.filter(({ kind }) => kind === "phase").map((event) => "phase" in event && event.phase)).toEqual(
    expect.arrayContaining(["listing packs", "reading block maps"]),
  );
});

test("plans change nothing, and say what the run then does", async () => {
  const planned = await planCopy(installation, copy, site.context);
  expect((await runCopy(installation, copy, site.context)).map(({ outcome }) => outcome)).toEqual(
    planned.map(({ outcome }) => outcome),
  );
  const planForgotten = await planForget(installation, forget, site.context);
  expect(await runForget(installation, forget, site.context)).toEqual({ ...planForgotten, dryRun: false });
  const condemned = (await planPrune(installation, prune, site.context)).report.condemnedPacks;
  expect((await runPrune(installation, prune, site.context)).report.condemnedPacks).toBe(condemned);
  expect(await planRepair(installation, repair, site.context)).toMatchObject({ dryRun: true, lost: [] });
});

test("a run that goes wrong ends with its error as plain data, and rejects with the error itself", async () => {
  const repository = await installation.repository();
  repository.points.forget = () => Promise.reject(new IntegrityError("a bad manifest", { context: { key: "x" } }));
  await expect(runForget(installation, forget, site.context)).rejects.toThrow(IntegrityError);
  expect(site.events.at(-1)).toMatchObject({
    kind: "failed",
    job: "forget",
    error: { code: "E_INTEGRITY", kind: "integrity", message: "a bad manifest", context: { key: "x" } },
  });
});

test("every job that is aborted without a reason rejects as cancelled, and so does every plan", async () => {
  site.controller.abort();
  const works: readonly (() => Promise<unknown>)[] = [
    () => runVerify(installation, verify, site.context),
    () => runVerify(installation, verifyOne, site.context),
    () => runCopy(installation, copy, site.context),
    () => planCopy(installation, copy, site.context),
    () => runRepair(installation, repair, site.context),
    () => planRepair(installation, repair, site.context),
    () => runForget(installation, forget, site.context),
    () => planForget(installation, forget, site.context),
    () => runPrune(installation, prune, site.context),
    () => planPrune(installation, prune, site.context),
  ];
  for (const work of works) await expect(work()).rejects.toMatchObject({ code: "E_CANCELLED" });
  const failed = site.events.filter((event) => event.kind === "failed");
  expect(failed.map(({ error }) => error.kind)).toEqual(failed.map(() => "cancelled"));
});

test("the lease that a run holds names the run", async () => {
  const nas = join(site.directory, "nas");
  const claims: string[] = [];
  const emit = ({ runId, kind }: RunEvent): void => {
    if (kind !== "phase") return;
    const paths = readdirSync(join(nas, "leases"), { recursive: true, encoding: "utf8" });
    const files = paths.map((path) => join(nas, "leases", path)).filter((path) => statSync(path).isFile());
    claims.push(...files.map((path) => readFileSync(path, "utf8")).filter((claim) => claim.includes(runId)));
  };
  await runPrune(installation, prune, { ...site.context, emit });
  expect(claims).not.toEqual([]);
});

/** The counts of the last run, as far as they were sent. */
function lastCounts(): readonly RunCounts[] {
  return (eventsByRun().at(-1) ?? []).flatMap((event) => (event.kind === "counted" ? [event.counts] : []));
}

test("verify and repair say how much there is to read, and come to it", async () => {
  const { packs, storedBytes, points } = await runVerify(installation, verify, site.context);
  expect(packs).toBeGreaterThan(0);
  const all = { packs, storedBytes };
  expect(lastCounts().at(-1)).toMatchObject({ ...all, points, total: { ...all, points } });
  await runVerify(installation, verifyOne, site.context);
  expect(lastCounts().at(-1)).toMatchObject({ packs: 0, points: 1, total: { packs: 0, storedBytes: 0, points: 1 } });
  await runRepair(installation, { ...repair, readData: true }, site.context);
  expect(lastCounts().at(-1)).toMatchObject({ of: "repair", ...all, total: all });
});

test("prune knows how many pages of block maps there are before it reads them", async () => {
  await runPrune(installation, prune, site.context);
  const counts = lastCounts().flatMap((one) => (one.of === "prune" && one.step === "reading block maps" ? [one] : []));
  expect(counts.map(({ knownPages }) => knownPages)).not.toContain(0);
  const last = counts.at(-1);
  expect(last?.pages).toBeGreaterThan(0);
  expect(last?.pages).toBeLessThanOrEqual(last?.knownPages ?? 0);
});

test("points of a copy that was cancelled are in its events", async () => {
  const emit = (event: RunEvent): void => {
    site.events.push(event);
    if (event.kind === "point") site.controller.abort();
  };
  await expect(runCopy(installation, copy, { ...site.context, emit })).rejects.toMatchObject({ code: "E_CANCELLED" });
  const events = eventsByRun().at(-1) ?? [];
  expect(events.find(({ kind }) => kind === "points")).toMatchObject({ points: [{}, {}] });
  expect(events.filter(({ kind }) => kind === "point")).toMatchObject([{ result: { outcome: "copied", error: null } }]);
  expect(events.at(-1)?.kind).toBe("failed");
});
