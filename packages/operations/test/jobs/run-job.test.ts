import { afterEach, beforeEach, expect, expectTypeOf, test } from "vitest";

import { backupJobSchema, type BackupSummary, parseJob, type PruneOutcome, runJob } from "@ovault/operations";

import { ModelSite } from "../support/model-site.ts";

let site: ModelSite;
beforeEach(async () => {
  site = await ModelSite.open();
});
afterEach(() => site[Symbol.asyncDispose]());

test("runs a job of any kind, and the type of its result is that of the kind", async () => {
  await using installation = await site.installation();
  const results = await runJob(installation, backupJobSchema.parse({ kind: "backup", vms: ["web01"] }), site.context);
  expectTypeOf(results).toEqualTypeOf<readonly BackupSummary[]>();
  const point = results[0]?.point?.id;
  const prune = parseJob({ kind: "prune" });
  if (prune.kind !== "prune") throw new Error("it is another job");
  const pruned = await runJob(installation, prune, site.context);
  expectTypeOf(pruned).toEqualTypeOf<PruneOutcome>();
  const jobs = [
    { kind: "verify" },
    { kind: "repair" },
    { kind: "copy", all: true, to: "offsite" },
    { kind: "restore", point, as: "new" },
    { kind: "restore-disk", point, disk: "a", toFile: `${site.directory}/a.raw` },
    { kind: "forget", points: [point] },
  ];
  for (const job of jobs) await runJob(installation, parseJob(job), site.context);
  const finished = site.events.filter(({ kind }) => kind === "finished").map(({ job }) => job);
  expect(finished).toEqual(["backup", "prune", ...jobs.map(({ kind }) => kind)]);
});
