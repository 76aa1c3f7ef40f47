import { afterAll, beforeAll, expect, test } from "vitest";

import { LabRig } from "./support/lab-rig.ts";

let rig: LabRig;
beforeAll(async () => {
  rig = await LabRig.start({ web: [["-f", "qcow2", "1M"]] }, { start: ["--engine-version", "3.6"] });
});
afterAll(() => rig.stop());

test("is listed, and no strategy that would fail on it is offered", async () => {
  expect((await rig.ovault("vms")).stdout).toMatch(/web/);
  for (const [strategy, reason] of [
    ["disk-attachment", "attaching disks came with oVirt 4.0"],
    ["ssh-transfer", "backups over SSH need oVirt 4.0"],
    ["image-transfer", "transfers of snapshots came with oVirt 4.2"],
    ["changed-block-tracking", "the backup API came with oVirt 4.4"],
  ] as const) {
    const { exitCode, stderr } = await rig.ovault("backup", "web", "--strategy", strategy);
    expect(exitCode).not.toBe(0);
    expect(stderr).toContain(`${strategy} cannot take disk web_Disk1 of web: ${reason}`);
  }
  expect(await rig.lab.leftovers()).toMatchObject({ snapshots: [], transfers: [] });
});

test("is restored to through its export domain, which a restore in any other way names", async () => {
  const [taken] = await rig.json<readonly { readonly point: { readonly id: string; readonly strategy: string } }[]>(
    "backup",
    "web",
  );
  expect(taken?.point.strategy).toBe("export-domain");
  const { exitCode, stderr } = await rig.ovault("restore", taken?.point.id ?? "", "--as", "back");
  expect([exitCode, stderr]).toEqual([2, expect.stringContaining("--strategy export-domain")]);
});
