import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { PracticeSite, type SiteOptions } from "../support/practice-site.ts";
import { Witness } from "../support/witness.ts";

const MIB = 1024 * 1024;
/** Neither a multiple of a block (256 KiB here), nor of a qcow2 cluster (64 KiB), nor of 4 KiB. */
const ODD_QCOW2 = 5 * MIB + 3 * 512;
const ODD_RAW = 3 * MIB + 70 * 1024 + 512;
/** Engines make disks in steps of 4 KiB. */
const ADDED = MIB + 4096;

describe("a machine whose disks change", () => {
  let site: PracticeSite;
  let witness: Witness;
  beforeAll(async () => {
    site = await PracticeSite.start({
      vms: {
        web01: [
          { format: "qcow2", bytes: ODD_QCOW2 },
          { format: "raw", bytes: ODD_RAW },
        ],
      },
    });
    witness = new Witness(site);
  });
  afterAll(() => site.stop());

  /** Backs up and sees that nothing else is left. Answers with how each disk was taken, by its alias. */
  async function backUp(...options: readonly string[]): Promise<Readonly<Record<string, string>>> {
    const view = await witness.look("web01");
    const { id, disks } = await site.backUp("web01", ...options);
    expect(await witness.attribute(view)).toEqual([id]);
    expect(await site.remains()).toEqual([]);
    return Object.fromEntries(disks.map(({ alias, mode, logicalBytes }) => [alias, `${mode} ${logicalBytes}`]));
  }

  async function write(disk: string, offset: number, length: number): Promise<void> {
    await site.lab.write("web01", disk, { kind: "random", seed: `${disk}.${offset}`, offset, length });
  }

  test("odd sizes, up to the last byte, on qcow2 and raw side by side", async () => {
    await write("0", ODD_QCOW2 - 1024, 1024);
    await write("1", ODD_RAW - 512, 512);
    expect(await backUp()).toEqual({ web01_Disk1: `full ${ODD_QCOW2}`, web01_Disk2: `full ${ODD_RAW}` });
    await write("0", 2 * MIB, 512);
    await write("1", MIB, 512);
    expect(await backUp()).toEqual({ web01_Disk1: `incremental ${ODD_QCOW2}`, web01_Disk2: `compared ${ODD_RAW}` });
  });

  test("disks that have grown", async () => {
    await site.lab.resizeDisk("web01", "0", 7 * MIB);
    await site.lab.resizeDisk("web01", "1", 4 * MIB);
    await write("0", 7 * MIB - 4096, 4096);
    const modes = await backUp();
    expect(modes["web01_Disk1"]).toMatch(new RegExp(`^(incremental|compared) ${7 * MIB}$`));
    expect(modes["web01_Disk2"]).toBe(`compared ${4 * MIB}`);
  });

  test("a disk that was added, excluded, and removed again", async () => {
    await site.lab.addDisk("web01", { alias: "scratch", virtualBytes: ADDED, format: "cow" });
    await write("scratch", 512, 4096);
    const [added, left] = [await backUp(), await backUp("--exclude-disk", "scratch")];
    expect(added).toMatchObject({ scratch: `full ${ADDED}`, web01_Disk1: `incremental ${7 * MIB}` });
    expect(left).not.toHaveProperty("scratch");
    expect(await backUp()).toMatchObject({ scratch: `full ${ADDED}` });
    await site.lab.removeDisk("web01", "scratch");
    const aliases = (): readonly string[] | undefined => site.lab.vms[0]?.disks.map(({ alias }) => alias);
    await expect.poll(aliases, { timeout: 20_000 }).toEqual(["web01_Disk1", "web01_Disk2"]);
    expect(await backUp()).toMatchObject({ web01_Disk1: `incremental ${7 * MIB}` });
  });

  test("a point without a tracked disk costs a comparison, and no checkpoint is forgotten", async () => {
    await backUp("--exclude-disk", "0");
    await write("0", MIB, 4096);
    expect(await backUp()).toMatchObject({ web01_Disk1: expect.stringMatching(/^(full|compared) /) });
    expect(await backUp()).toMatchObject({ web01_Disk1: `incremental ${7 * MIB}` });
  });

  test("a machine that is down", async () => {
    await write("0", 3 * MIB, 512);
    await site.lab.powerOff("web01", { graceful: true });
    await backUp();
    expect((await site.points()).at(-1)?.consistency).toBe("offline");
    await site.lab.powerOn("web01");
    await write("0", 4 * MIB, 512);
    await backUp();
  });

  test("all disks excluded is an error, not a point without data", async () => {
    const failure = await site.fail("backup", "web01", "--exclude-disk", "0", "--exclude-disk", "1");
    expect(failure).toMatchObject({ exitCode: 2, message: expect.stringMatching(/no disk/), hint: expect.any(String) });
    expect(await site.remains()).toEqual([]);
  });

  test("and every point still gives back what it was made of", async () => {
    expect(await witness.allDiffering()).toEqual([]);
    const report: unknown = JSON.parse(await site.succeed("verify", "--all", "--json"));
    expect(report).toMatchObject({ points: witness.points.length, damage: [] });
  });
});

describe("engines of other versions and products", () => {
  const vms = { web01: [{ format: "qcow2", bytes: 2 * MIB }] } as const;

  async function onEngine(
    options: Omit<SiteOptions, "vms">,
    work: (site: PracticeSite) => Promise<void>,
  ): Promise<void> {
    const site = await PracticeSite.start({ ...options, vms });
    try {
      // Without log-ins to hosts, as where the engine's own ways are all there is.
      await site.configure((configuration) => ({ ...configuration, strategies: {} }));
      await work(site);
    } finally {
      await site.stop();
    }
  }

  test.each([
    ["4.4", "ovirt", []],
    ["4.5", "olvm", []],
    ["4.5", "olvm", ["--strategy", "image-transfer", "--keep-base"]],
  ] as const)("%s of %s: full, incremental, and back as a new machine %j", async (engineVersion, product, options) => {
    await onEngine({ engineVersion, product }, async (site) => {
      const witness = new Witness(site);
      for (const mode of ["full", "incremental"]) {
        await site.lab.write("web01", "0", { kind: "random", seed: mode, offset: 512, length: MIB });
        const view = await witness.look("web01");
        const { disks } = await site.backUp("web01", ...options);
        expect(disks).toMatchObject([{ mode }]);
        await witness.attribute(view);
      }
      await site.succeed("restore", "web01@latest", "--as", "web02");
      expect(await witness.vmDiffering(witness.points[1] ?? "", "web02")).toEqual([]);
      expect(await witness.allDiffering()).toEqual([]);
      expect(await site.remains(["web02"])).toEqual([]);
    });
  });

  test.each(["4.2", "4.3"] as const)(
    "%s has no backups: snapshots serve it, and nothing unplanned stays",
    async (engineVersion) => {
      await onEngine({ engineVersion }, async (site) => {
        const witness = new Witness(site);
        for (const [mode, options] of [
          ["full", ["--keep-base"]],
          ["incremental", ["--keep-base"]],
          ["incremental", []],
          ["compared", []],
        ] as const) {
          await site.lab.write("web01", "0", { kind: "random", seed: `${mode}${options}`, offset: 512, length: MIB });
          const view = await witness.look("web01");
          const point = await site.backUp("web01", ...options);
          expect(point).toMatchObject({ strategy: "image-transfer", disks: [{ mode }] });
          await witness.attribute(view);
          expect(await site.remains()).toEqual([]);
        }
        expect((await site.lab.leftovers()).snapshots).toEqual([]);
        await site.succeed("restore", "web01@latest", "--as", "web02");
        expect(await witness.vmDiffering(witness.points.at(-1) ?? "", "web02")).toEqual([]);
        expect(await witness.allDiffering()).toEqual([]);
        expect(await site.remains(["web02"])).toEqual([]);
      });
    },
  );

  test("a strategy that the engine cannot serve is refused with the reason, and nothing is changed", async () => {
    await onEngine({ engineVersion: "4.3" }, async (site) => {
      const failure = await site.fail("backup", "web01", "--strategy", "changed-block-tracking");
      expect(failure).toMatchObject({
        exitCode: 2,
        message: expect.stringMatching(/web01_Disk1.*the backup API came with oVirt 4\.4/),
        hint: expect.any(String),
      });
      expect(JSON.parse(await site.succeed("vms", "--json"))).toMatchObject([
        {
          strategy: "image-transfer",
          rejected: expect.arrayContaining([
            expect.objectContaining({
              strategy: "changed-block-tracking",
              disks: [expect.objectContaining({ verdict: "impossible" })],
            }),
          ]),
        },
      ]);
      expect(await site.remains()).toEqual([]);
      expect(await site.points()).toEqual([]);
    });
  });
});
