import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { PracticeSite } from "../support/practice-site.ts";
import { showsDevices } from "../support/shows-devices.ts";
import { planStrikes, stepsOf, strikeAtStep } from "../support/strikes.ts";
import { Witness } from "../support/witness.ts";

const MIB = 1024 * 1024;
const TIMEOUT_MS = 60 * 60_000;
const ATTACHED = ["--strategy", "disk-attachment"];

describe.skipIf(!(await showsDevices()))("disks that are attached to a proxy VM", () => {
  let site: PracticeSite;
  let witness: Witness;
  let point: string;
  beforeAll(async () => {
    site = await PracticeSite.start({
      vms: {
        web01: [
          { format: "qcow2", bytes: 2 * MIB },
          { format: "raw", bytes: MIB + 4096 },
        ],
      },
      proxy: true,
    });
    witness = new Witness(site);
    await site.lab.write("web01", "0", { kind: "random", seed: "1", offset: 700_928, length: MIB });
    await site.lab.write("web01", "1", { kind: "random", seed: "2", offset: MIB - 512, length: 1024 });
    const view = await witness.look("web01");
    point = (await site.backUp("web01", ...ATTACHED)).id;
    await witness.attribute(view);
  });
  afterAll(() => site.stop());

  test(
    "a killed backup leaves no point that is not whole, and an engine that the next run or the doctor cleans",
    { timeout: TIMEOUT_MS },
    async ({ annotate }) => {
      const args = ["backup", "web01", ...ATTACHED];
      const strikes = await planStrikes(site, args, "SIGKILL");
      await witness.attribute(await witness.look("web01"));
      let killed = 0;
      for (const [index, { strike, title }] of strikes.entries()) {
        const { exitCode } = await site.begin(args, { strike }).ended;
        if (exitCode === null) killed += 1;
        if (index % 2 === 0) await site.succeed("doctor", "--fix", "--yes");
        else await site.backUp("web01", ...ATTACHED);
        await witness.attribute(await witness.look("web01"));
        expect({ title, remains: await site.remains() }).toEqual({ title, remains: [] });
      }
      await site.backUp("web01", ...ATTACHED);
      await witness.attribute(await witness.look("web01"));
      expect(await witness.allDiffering()).toEqual([]);
      await annotate(`${killed} of ${strikes.length} were killed in time; ${witness.points.length} points are whole`);
    },
  );

  test("the next backup takes disks that a killed one left at the proxy VM", { timeout: TIMEOUT_MS }, async () => {
    const args = ["backup", "web01", ...ATTACHED];
    const steps = await stepsOf(site, args);
    const attached = 1 + steps.findLastIndex((step) => /^answered POST .*\/diskattachments$/.test(step));
    const { strike } = strikeAtStep(steps, attached, "SIGKILL");
    expect((await site.begin(args, { strike }).ended).exitCode).toBeNull();
    expect((await site.lab.leftovers()).attachedSnapshots).not.toEqual([]);
    await site.backUp("web01", ...ATTACHED);
    await witness.attribute(await witness.look("web01"));
    expect(await site.remains()).toEqual([]);
  });

  test(
    "a killed restore leaves no half machine and no disk, once the next restore or the doctor has cleaned up",
    { timeout: TIMEOUT_MS },
    async ({ annotate }) => {
      const strikes = await planStrikes(site, restoreAs(point, "unharmed"), "SIGKILL");
      const whole = ["unharmed"];
      let killed = 0;
      for (const [index, { strike, title }] of strikes.entries()) {
        const name = `struck-${index}`;
        const { exitCode } = await site.begin(restoreAs(point, name), { strike }).ended;
        if (exitCode === null) killed += 1;
        if (index % 2 === 0) {
          await site.succeed("doctor", "--fix", "--yes");
        } else {
          await site.succeed(...restoreAs(point, `next-${index}`));
          whole.push(`next-${index}`);
        }
        // It may have been killed when all was done.
        if (site.lab.vms.some((vm) => vm.name === name)) whole.push(name);
        const [remains, differing] = [await site.remains(whole), await witness.vmDiffering(point, whole.at(-1) ?? "")];
        expect({ title, remains, differing }).toEqual({ title, remains: [], differing: [] });
      }
      await annotate(`${killed} of ${strikes.length} were killed in time`);
    },
  );
});

function restoreAs(point: string, name: string): readonly string[] {
  return ["restore", point, "--as", name, ...ATTACHED];
}
