import { readdir } from "node:fs/promises";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import type { Diagnosis } from "@ovault/contract";
import type { RestoredVm, VmSummary } from "@ovault/operations";

import { LabRig } from "./support/lab-rig.ts";

const MIB = 1024 * 1024;

describe.each(["3.6", "4.1", "4.3"])("an engine %s that was just started", (version) => {
  let rig: LabRig;
  beforeAll(async () => {
    const images = {
      web: [
        ["-f", "qcow2", "8M"],
        ["-f", "raw", "2M"],
      ],
    };
    rig = await LabRig.start(images, { start: ["--engine-version", version] });
    await rig.lab.write("web", "0", { kind: "random", seed: "1", offset: MIB, length: MIB });
    await rig.lab.write("web", "1", { kind: "pattern", pattern: 7, offset: 4096, length: 65_536 });
  }, 120_000);
  afterAll(() => rig.stop());

  test(
    "is backed up through its export domain, byte for byte, and restored through it",
    { timeout: 120_000 },
    async () => {
      const through = ["--strategy", "export-domain"];
      const [taken] = await rig.json<readonly { readonly point: { readonly id: string } }[]>(
        "backup",
        "web",
        ...through,
      );
      const point = taken?.point.id ?? "";
      for (const disk of ["web_Disk1", "web_Disk2"]) {
        expect((await rig.restored(point, disk)).equals(await rig.view(disk))).toBe(true);
      }
      const back = await rig.json<RestoredVm>("restore", point, "--as", "back", ...through, "--import");
      expect(back.vm.awaitsImport).toBeUndefined();
      const { vms } = await rig.lab.status();
      const disks = vms.find(({ name }) => name === "back")?.disks ?? [];
      expect(disks).toHaveLength(2);
      for (const { id, alias } of disks)
        expect((await rig.view(id)).equals(await rig.view(await ownId(alias)))).toBe(true);

      const left = await rig.json<RestoredVm>("restore", point, "--as", "left", ...through);
      expect(left.vm.awaitsImport).toBe("export domain staging-Default");
      const again = await rig.ovault("restore", point, "--as", "left", ...through);
      expect([again.exitCode, again.stderr]).toEqual([
        2,
        expect.stringContaining("lies in export domain staging-Default"),
      ]);
      expect(again.stderr).toContain("--as");
      expect(await rig.lab.leftovers()).toMatchObject({ snapshots: [], lockedDisks: [], unattachedDisks: [] });
      const [folder = ""] = await readdir(join(rig.labDirectory, "staging"));
      expect(folder).toBe("Default");
    },
  );

  test("doctor and vms say what exports it", async () => {
    const checks = await rig.json<readonly Diagnosis[]>("doctor");
    expect(checks.find(({ name }) => name === "lab: export-domain: export domain")).toMatchObject({
      status: "ok",
      detail: expect.stringContaining("staging-Default of Default in "),
    });
    const vms = await rig.json<readonly VmSummary[]>("vms");
    const web = vms.find(({ name }) => name === "web");
    const shown = [web, ...(web?.rejected ?? [])].find((one) => one?.strategy === "export-domain");
    expect(shown?.disks.map(({ verdict }) => verdict)).toEqual(["full", "full"]);
  });

  async function ownId(alias: string): Promise<string> {
    const { vms } = await rig.lab.status();
    const web = vms.find(({ name }) => name === "web");
    return web?.disks.find((disk) => disk.alias === alias)?.id ?? "";
  }
});
