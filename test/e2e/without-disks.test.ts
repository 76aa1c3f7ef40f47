import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { afterAll, beforeAll, expect, test } from "vitest";

import type { PointSummary } from "@ovault/cli";

import { LabRig } from "./support/lab-rig.ts";

const POLICIES = `
policies:
  nightly:
    vms: { include: ["web", "pxe"] }
    retention: { keepLast: 1 }
`;

const disk = ["-f", "qcow2", "1M"];
let rig: LabRig;
beforeAll(async () => {
  rig = await LabRig.start({ web: [disk], pxe: [disk] });
  await rig.lab.removeDisk("pxe", "0");
  const file = join(rig.labDirectory, "ovault.yaml");
  await writeFile(file, (await readFile(file, "utf8")) + POLICIES);
});
afterAll(() => rig.stop());

async function pointsOfPxe(): Promise<readonly PointSummary[]> {
  return (await rig.points()).filter(({ vm }) => vm.name === "pxe");
}

test.each(["changed-block-tracking", "image-transfer", "disk-attachment"])(
  "%s keeps the configuration of a machine without disks as a point",
  async (strategy) => {
    const { exitCode, stdout } = await rig.ovault("backup", "pxe", "--strategy", strategy);
    expect(stdout).toMatch(/pxe: warning: pxe has no disk that can be taken: the point keeps its configuration alone/);
    expect(exitCode).toBe(0);
    const shown = await rig.json<{ disks: unknown[]; documents: { name: string }[] }>("show", "pxe@latest");
    expect(shown.disks).toEqual([]);
    expect(shown.documents.map(({ name }) => name)).toContain("vm.ovf");
  },
);

test("a policy takes it along, and every command that deals with points knows what to do with it", async () => {
  const before = await pointsOfPxe();
  const planned = await rig.ovault("backup", "--policy", "nightly", "--dry-run");
  expect(planned).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/pxe .*configuration alone/) });
  const run = await rig.ovault("backup", "--policy", "nightly");
  expect(run).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/pxe .*configuration alone/) });
  expect(await pointsOfPxe()).toHaveLength(before.length + 1);
  expect((await rig.ovault("points", "pxe")).stdout).toMatch(/ configuration +0 /);
  expect(await rig.ovault("verify", "pxe@latest")).toMatchObject({ exitCode: 0 });
  expect(await rig.ovault("verify", "--all")).toMatchObject({ exitCode: 0 });
  expect(await rig.ovault("forget", "--policy", "nightly")).toMatchObject({ exitCode: 0 });
  expect(await pointsOfPxe()).toHaveLength(1);
  expect(await rig.ovault("prune")).toMatchObject({ exitCode: 0 });
  const { exitCode, stdout } = await rig.ovault("show", "pxe@latest");
  expect(exitCode).toBe(0);
  expect(stdout).toContain("no disks");
});

test("its points are copied to another destination as they are", async () => {
  const file = join(rig.labDirectory, "ovault.yaml");
  const yaml = await readFile(file, "utf8");
  const second = `destinations:\n  second: { type: filesystem, directory: ${JSON.stringify(rig.file("second"))} }\n`;
  await writeFile(file, yaml.replace(/^destinations:\n/m, second));
  expect(await rig.ovault("destination", "init", "second")).toMatchObject({ exitCode: 0 });
  expect(await rig.ovault("copy", "pxe@latest", "--to", "second")).toMatchObject({ exitCode: 0 });
  const [copied] = await rig.json<readonly PointSummary[]>("points", "pxe", "--from", "second");
  expect(copied?.disks).toEqual([]);
  expect(await rig.ovault("verify", "--all", "--from", "second")).toMatchObject({ exitCode: 0 });
});
