import { afterAll, beforeAll, expect, test } from "vitest";

import { PracticeSite } from "../support/practice-site.ts";
import { planStrikes } from "../support/strikes.ts";
import { Witness } from "../support/witness.ts";

const MIB = 1024 * 1024;
const TIMEOUT_MS = 30 * 60_000;

let site: PracticeSite;
let witness: Witness;
beforeAll(async () => {
  site = await PracticeSite.start({
    vms: {
      web01: [
        { format: "qcow2", bytes: 8 * MIB },
        { format: "raw", bytes: 2 * MIB + 512 },
      ],
    },
  });
  witness = new Witness(site);
});
afterAll(() => site.stop());

/** What a guest does between two backups. Answers with what QEMU sees after it. */
async function guestLives(seed: number): ReturnType<Witness["look"]> {
  const offset = ((seed * 37) % 120) * 64 * 1024;
  await site.lab.write("web01", "0", { kind: "random", seed: String(seed), offset, length: 300_032 });
  await site.lab.write("web01", "0", { kind: "zero", offset: (offset + 3 * MIB) % (7 * MIB), length: 128 * 1024 });
  await site.lab.write("web01", "1", {
    kind: "random",
    seed: String(seed),
    offset: MIB + 512 * (seed % 7),
    length: 4096,
  });
  return await witness.look("web01");
}

async function remainsAfterDoctor(): Promise<readonly string[]> {
  await site.succeed("doctor", "--fix", "--yes");
  return await site.remainsUnknown();
}

test.for([
  ["full", ["backup", "web01", "--full"]],
  ["incremental", ["backup", "web01"]],
] as const)(
  "a killed %s backup leaves no point that is not whole, and an engine that the next run or the doctor cleans",
  { timeout: TIMEOUT_MS },
  async ([, args], { annotate }) => {
    const first = await guestLives(0);
    await site.backUp("web01");
    const strikes = await planStrikes(site, args, "SIGKILL");
    await witness.attribute(first);
    let killed = 0;
    for (const [index, { strike, title }] of strikes.entries()) {
      const before = await guestLives(index + 1);
      const { exitCode } = await site.begin(args, { strike }).ended;
      if (exitCode === null) killed += 1;
      // It may have been killed after its point was sealed: then that must be whole too.
      await witness.attribute(before);
      const afterDoctor = index % 3 === 2 ? await remainsAfterDoctor() : [];
      const after = await guestLives(index + 1_000);
      const { id } = await site.backUp("web01");
      const [points, remains] = [await witness.attribute(after), await site.remains()];
      const found = { title, afterDoctor, points, remains };
      expect(found).toEqual({ title, afterDoctor: [], points: [id], remains: [] });
    }
    expect(await witness.allDiffering()).toEqual([]);
    await annotate(`${killed} of ${strikes.length} were killed in time; ${witness.points.length} points are whole`);
  },
);
