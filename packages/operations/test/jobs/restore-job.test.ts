import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { afterEach, beforeEach, expect, test } from "vitest";

import {
  backupJobSchema,
  planRestore,
  restoreDiskJobSchema,
  restoreJobSchema,
  runBackup,
  runRestore,
  runRestoreDisk,
  type Installation,
} from "@ovault/operations";

import { ModelSite } from "../support/model-site.ts";

let site: ModelSite;
let installation: Installation;
beforeEach(async () => {
  site = await ModelSite.open();
  installation = await site.installation();
  await runBackup(installation, backupJobSchema.parse({ kind: "backup", vms: ["web01"] }), site.context);
  site.events.length = 0;
});
afterEach(async () => {
  await installation[Symbol.asyncDispose]();
  await site[Symbol.asyncDispose]();
});

const restore = restoreJobSchema.parse({ kind: "restore", point: "web01@latest", as: "web02" });

test("a restore is one run of the point's machine, titled by the new one, and finishes with what it made", async () => {
  const restored = await runRestore(installation, restore, site.context);
  expect(restored).toMatchObject({ vm: { name: "web02" }, manager: "site", doneBytes: 100_000, warnings: [] });
  expect(site.events[0]).toMatchObject({ kind: "started", job: "restore", title: "web02", machine: { name: "web01" } });
  expect(site.events[1]).toMatchObject({ kind: "disks", disks: [{ id: "a", logicalBytes: 100_000 }] });
  expect(site.events.at(-1)).toMatchObject({ kind: "finished", runId: restored.runId, result: restored });
});

test("a restore that fails ends with failed, once, after what its cleanup did", async () => {
  site.platform.step = (name) => {
    if (name === "commit") throw new Error("the engine refuses");
  };
  await expect(runRestore(installation, restore, site.context)).rejects.toThrow("the engine refuses");
  expect(site.events.filter(({ kind }) => kind === "failed")).toHaveLength(1);
  expect(site.events.at(-2)).toMatchObject({ kind: "phase", phase: "cleanup" });
  expect(site.events.at(-1)).toMatchObject({ kind: "failed", error: { message: "the engine refuses" } });
});

test("a plan has no run", async () => {
  expect(await planRestore(installation, restore, site.context)).toEqual({ steps: [], warnings: [] });
  expect(site.events).toEqual([]);
});

test("a disk restored to a file is one run titled by the disk", async () => {
  const toFile = join(site.directory, "disk.raw");
  const job = restoreDiskJobSchema.parse({ kind: "restore-disk", point: "web01@latest", disk: "0", toFile });
  const restored = await runRestoreDisk(installation, job, site.context);
  expect(await readFile(toFile)).toEqual(Buffer.alloc(100_000, 7));
  expect(restored).toMatchObject({ file: toFile, format: "raw", disk: { id: "a" }, doneBytes: 100_000 });
  expect(site.events[0]).toMatchObject({ kind: "started", job: "restore-disk", title: restored.disk.alias });
  expect(site.events.at(-1)).toMatchObject({ kind: "finished", result: restored });
});
