import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { PracticeSite, type DiskImage, type SiteOptions } from "./practice-site.ts";
import { planStrikes } from "./strikes.ts";
import { Witness, type View } from "./witness.ts";

const MIB = 1024 * 1024;
const TIMEOUT_MS = 120 * 60_000;
/** Number of kills after which the doctor cleans up; after the others the next run does. */
const DOCTOR_EVERY = 3;
const DISKS: readonly DiskImage[] = [
  { format: "qcow2", bytes: 8 * MIB },
  { format: "raw", bytes: 2 * MIB + 512 },
];

type EngineOptions = Pick<SiteOptions, "engineVersion" | "staging">;

export interface KilledBackups extends EngineOptions {
  readonly strategy: string;
  /** Options of `ovault backup` for each way to kill, by label. */
  readonly ways: Readonly<Record<string, readonly string[]>>;
  /** Options of the runs before and after, which a killed one may start from. */
  readonly between?: readonly string[];
  /** Share of the kills of a test, for each way; default 1. */
  readonly share?: number;
}

/**
 * `kill -9` at steps of backups, spread evenly, and at random moments: no point is lost or incomplete, the next run
 * works, and it or the doctor leaves nothing on the engine. OVAULT_KILLS says how many; enough of them hit every step.
 */
export function describeKilledBackups({ strategy, ways, between = [], share = 1, ...options }: KilledBackups): void {
  const chosen = ["--strategy", strategy];
  let site: PracticeSite;
  let witness: Witness;

  async function remainsAfterDoctor(): Promise<readonly string[]> {
    await site.succeed("doctor", "--fix", "--yes");
    return await site.remainsUnknown();
  }

  describe(`killed backups by ${strategy}`, () => {
    beforeAll(async () => {
      site = await PracticeSite.start({ vms: { web01: DISKS }, ...options });
      witness = new Witness(site);
    });
    afterAll(() => site.stop());

    test.each(Object.entries(ways))(
      "%s: no point that is not whole, and an engine that the next run or the doctor cleans",
      { timeout: TIMEOUT_MS },
      async (_, how) => {
        const args = ["backup", "web01", ...chosen, ...how];
        const first = await guestLives(site, witness, 0);
        await site.backUp("web01", ...chosen, ...between);
        const strikes = await planStrikes(site, args, "SIGKILL", share);
        await site.backUp("web01", ...chosen, ...between);
        await witness.attribute(first);
        for (const [index, { strike, title }] of strikes.entries()) {
          const before = await guestLives(site, witness, index + 1);
          await site.begin(args, { strike }).ended;
          // It may have been killed after its point was sealed: then that must be whole too.
          await witness.attribute(before);
          const afterDoctor = index % DOCTOR_EVERY === DOCTOR_EVERY - 1 ? await remainsAfterDoctor() : [];
          const after = await guestLives(site, witness, index + 1_000);
          const { id } = await site.backUp("web01", ...chosen, ...between);
          const [points, remains] = [await witness.attribute(after), await site.remains()];
          const found = { title, afterDoctor, points, remains };
          expect(found).toEqual({ title, afterDoctor: [], points: [id], remains: [] });
        }
        expect(await witness.allDiffering()).toEqual([]);
      },
    );
  });
}

export interface KilledRestores extends EngineOptions {
  /** Of the point that is restored. */
  readonly backup: readonly string[];
  /** Options of `ovault restore`. */
  readonly restore?: readonly string[];
  /** Share of the kills of a test; default 1. */
  readonly share?: number;
}

/** The same for restores: no half machine and no disk is left, and the next one is right. */
export function describeKilledRestores({ backup, restore = [], share = 1, ...options }: KilledRestores): void {
  let site: PracticeSite;
  let witness: Witness;
  let point: string;

  async function restoreWhole(name: string): Promise<string> {
    await site.succeed("restore", point, "--as", name, ...restore);
    return name;
  }

  describe(`killed restores of a point that was taken with ${backup.join(" ")}`, () => {
    beforeAll(async () => {
      site = await PracticeSite.start({ vms: { web01: DISKS }, ...options });
      witness = new Witness(site);
      const view = await guestLives(site, witness, 1);
      point = (await site.backUp("web01", ...backup)).id;
      await witness.attribute(view);
    });
    afterAll(() => site.stop());

    test(
      "leave no half machine and no disk, once the next restore or the doctor has cleaned up",
      { timeout: TIMEOUT_MS },
      async () => {
        const strikes = await planStrikes(site, ["restore", point, "--as", "unharmed", ...restore], "SIGKILL", share);
        const whole = ["unharmed"];
        for (const [index, { strike, title }] of strikes.entries()) {
          const name = `struck-${index}`;
          await site.begin(["restore", point, "--as", name, ...restore], { strike }).ended;
          if (index % 2 === 0) await site.succeed("doctor", "--fix", "--yes");
          else whole.push(await restoreWhole(`next-${index}`));
          // It may have been killed when all was done.
          if (site.lab.vms.some((vm) => vm.name === name)) whole.push(name);
          const [remains, differing] = [
            await site.remains(whole),
            await witness.vmDiffering(point, whole.at(-1) ?? ""),
          ];
          expect({ title, remains, differing }).toEqual({ title, remains: [], differing: [] });
        }
        expect(await witness.allDiffering()).toEqual([]);
      },
    );
  });
}

/** The guest's writes between two backups. Answers with QEMU's view after them. */
async function guestLives(site: PracticeSite, witness: Witness, seed: number): Promise<View> {
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
