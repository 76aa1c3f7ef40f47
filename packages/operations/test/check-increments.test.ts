import { expect, test } from "vitest";

import { Checklist, type DiskAssessment, type Finding } from "@ovault/contract";

import { checkIncrements } from "../src/doctor/check-increments.ts";
import { ModelSite } from "./support/model-site.ts";

/** What the doctor says of two machines with one disk each, of which the strategy says this. */
async function examined(site: ModelSite, assessment: Omit<DiskAssessment, "diskId">): Promise<Finding | undefined> {
  site.strategy.assess = async ({ disks }) => ({ disks: disks.map(({ id }) => ({ diskId: id, ...assessment })) });
  await using installation = await site.installation();
  const list = new Checklist(site.context.signal);
  await checkIncrements(installation, await installation.manager("site"), list, site.context.signal);
  return list.checks[0];
}

const alias = (site: ModelSite): string => site.platform.vm().disks[0]?.alias ?? "";

test("disks that the strategy in use reads in full are named with its reason, and no cure that does not help", async () => {
  await using site = await ModelSite.open();
  expect(await examined(site, { verdict: "full", reason: "raw disks cannot" })).toEqual({
    name: "site: increments",
    status: "warn",
    detail: `2 of 2 disks read in full every time: web01/${alias(site)}, db01/${alias(site)} (model: raw disks cannot)`,
    hint: "Only what changed is stored all the same.",
  });
  expect(await examined(site, { verdict: "incremental", reason: "tracked" })).toMatchObject({
    status: "ok",
    detail: "2 disks, none read in full every time",
  });
  expect(await examined(site, { verdict: "skip", reason: "shareable" })).toMatchObject({ status: "ok" });
});

test("only machines for which no policy schedules increments count as read in full where those need a snapshot", async () => {
  await using site = await ModelSite.open();
  const kept = { verdict: "incremental", reason: "layers", keeps: "a snapshot" } as const;
  expect(await examined(site, kept)).toMatchObject({
    detail: expect.stringContaining("2 of 2 disks"),
    hint: expect.stringContaining("let a policy schedule increments: model can take them"),
  });
  const schedule = [{ cron: "0 1 * * *", type: "incremental" }];
  await site.configure({ policies: { web: { vms: { include: ["web01"] }, schedule } } });
  expect(await examined(site, kept)).toMatchObject({
    detail: expect.stringMatching(/^1 of 2 disks read in full every time: db01/),
  });
});
