import { afterAll, beforeAll, describe, expect, test } from "vitest";

import type { VmSummary } from "@ovault/cli";

import { PracticeSite } from "../support/practice-site.ts";
import { showsDevices } from "../support/shows-devices.ts";
import { Witness } from "../support/witness.ts";

import type { Diagnosis } from "@ovault/contract";

const MIB = 1024 * 1024;
const ATTACHED = ["--strategy", "disk-attachment"];

describe.skipIf(!(await showsDevices()))("backups through disks attached to the machine ovault runs in", () => {
  let site: PracticeSite;
  let witness: Witness;
  beforeAll(async () => {
    site = await PracticeSite.start({
      vms: {
        web01: [
          { format: "qcow2", bytes: 8 * MIB },
          { format: "raw", bytes: 2 * MIB + 4096 },
        ],
      },
      proxy: true,
    });
    witness = new Witness(site);
  }, 120_000);
  afterAll(() => site.stop());

  test("are shown, diagnosed, and not preferred where another strategy does", async () => {
    const vms: readonly VmSummary[] = JSON.parse(await site.succeed("vms", "--json"));
    const [proxy, web] = ["ovault-proxy", "web01"].map((name) => vms.find((vm) => vm.name === name));
    expect(web?.strategy).not.toBe("disk-attachment");
    const shown = web?.rejected.find(({ strategy }) => strategy === "disk-attachment");
    expect(shown?.disks.map(({ verdict }) => verdict)).toEqual(["full", "full"]);
    const own = proxy?.rejected.find(({ strategy }) => strategy === "disk-attachment");
    expect(own?.disks.map(({ reason }) => reason)).toEqual([expect.stringContaining("of the proxy VM itself")]);
    const checks: readonly Diagnosis[] = JSON.parse(await site.succeed("doctor", "--json"));
    expect(checks).toContainEqual({
      name: "lab: disk-attachment: proxy VM",
      status: "ok",
      detail: "ovault-proxy, configured",
      hint: null,
    });
  });

  test(
    "hold what the guest saw, are compared with the last point, and are restored the same way",
    { timeout: 180_000 },
    async () => {
      await site.lab.write("web01", "0", { kind: "random", seed: "1", offset: 700_928, length: 3 * MIB });
      await site.lab.write("web01", "1", { kind: "random", seed: "2", offset: MIB, length: 4096 });
      const first = await witness.look("web01");
      const { id } = await site.backUp("web01", ...ATTACHED);
      await witness.attribute(first);
      await site.lab.write("web01", "0", { kind: "zero", offset: MIB, length: MIB });
      const second = await witness.look("web01");
      const compared = await site.backUp("web01", ...ATTACHED);
      await witness.attribute(second);
      expect(compared.disks.map(({ mode }) => mode)).toEqual(["compared", "compared"]);
      expect(compared.disks.every(({ readBytes, logicalBytes }) => readBytes === logicalBytes)).toBe(true);
      expect(compared.disks[1]?.storedBytes).toBe(0);

      // Whichever strategy took a point, and whichever restores it.
      await site.succeed("restore", id, "--as", "attached", ...ATTACHED);
      await site.succeed("restore", compared.id, "--as", "uploaded");
      expect(await witness.vmDiffering(id, "attached")).toEqual([]);
      expect(await witness.vmDiffering(compared.id, "uploaded")).toEqual([]);
      expect(await witness.allDiffering()).toEqual([]);
      expect(await site.remains(["attached", "uploaded"])).toEqual([]);
    },
  );

  test("end in an error that says what to do, where there is no such machine", async () => {
    await site.configure((configuration) => ({
      ...configuration,
      strategies: { "disk-attachment": { proxyVm: "nobody" } },
    }));
    const failure = await site.fail("backup", "web01", ...ATTACHED);
    expect(failure.exitCode).not.toBe(0);
    expect(failure.message).toContain("nobody");
    const doctor = await site.ovault("doctor");
    expect(doctor.exitCode).toBe(8);
    expect(doctor.stdout).toMatch(/fail +lab: disk-attachment: proxy VM/);
    await site.configure();
  });
});
