import { existsSync } from "node:fs";

import { afterAll, beforeAll, expect, test } from "vitest";

import { PracticeSite } from "../support/practice-site.ts";
import { describeKilledRestores } from "../support/killed-strategy.ts";
import { planStrikes, stepsOf, strikeAtStep } from "../support/strikes.ts";
import { Witness } from "../support/witness.ts";

const MIB = 1024 * 1024;
const TIMEOUT_MS = 30 * 60_000;

describeKilledRestores({ backup: [] });

let site: PracticeSite;
let witness: Witness;
let point: string;
beforeAll(async () => {
  site = await PracticeSite.start({
    vms: {
      web01: [
        { format: "qcow2", bytes: 4 * MIB },
        { format: "raw", bytes: MIB + 512 },
      ],
    },
  });
  witness = new Witness(site);
  await site.lab.write("web01", "0", { kind: "random", seed: "1", offset: 700_928, length: 2 * MIB });
  await site.lab.write("web01", "1", { kind: "random", seed: "2", offset: MIB - 512, length: 1024 });
  const view = await witness.look("web01");
  point = (await site.backUp("web01")).id;
  await witness.attribute(view);
});
afterAll(() => site.stop());

test.for([
  // Its id is not written down anywhere.
  ["an upload that was made a moment ago", (steps) => [steps.findIndex((step) => /^answered .*transfers$/.test(step))]],
  ["a machine that was made a moment ago", (steps) => [steps.findIndex((step) => /^answered POST .*vms$/.test(step))]],
  // The entries of the disks are closed, that of the machine is not.
  ["a machine that is all but finished", (steps) => around(steps.lastIndexOf("before datasync"))],
] as const satisfies readonly [string, (steps: readonly string[]) => readonly number[]][])(
  "a restore that is killed leaves nothing of %s",
  { timeout: TIMEOUT_MS },
  async ([, choose]) => {
    const steps = await stepsOf(site, restoreAs(`unhurried-${performance.now()}`));
    for (const index of choose(steps)) {
      const { strike, title } = strikeAtStep(steps, index + 1, "SIGKILL");
      const name = `struck-at-${index}`;
      await site.begin(restoreAs(name), { strike }).ended;
      await site.succeed("doctor", "--fix", "--yes");
      const machines = site.lab.vms.map((vm) => vm.name);
      const differing = machines.includes(name) ? await witness.vmDiffering(point, name) : [];
      const found = { title, remains: await site.remains(machines), differing };
      expect(found).toEqual({ title, remains: [], differing: [] });
    }
  },
);

test(
  "a killed restore to a file leaves no file of that name, or all of it",
  { timeout: TIMEOUT_MS },
  async ({ annotate }) => {
    const strikes = await planStrikes(site, restoreTo(site.file("unharmed.raw")), "SIGKILL");
    let killed = 0;
    for (const [index, { strike, title }] of strikes.entries()) {
      const file = site.file(`struck-${index}.raw`);
      const { exitCode } = await site.begin(restoreTo(file), { strike }).ended;
      if (exitCode === null) killed += 1;
      if (!existsSync(file)) await site.succeed(...restoreTo(file));
      const differs = await witness.fileDiffers(point, 0, file);
      expect({ title, differs }).toEqual({ title, differs: false });
    }
    await annotate(`${killed} of ${strikes.length} were killed in time`);
  },
);

function around(index: number): readonly number[] {
  return [index - 1, index, index + 1];
}

function restoreAs(name: string): readonly string[] {
  return ["restore", point, "--as", name];
}

function restoreTo(file: string): readonly string[] {
  return ["restore", point, "--disk", "0", "--to-file", file];
}
