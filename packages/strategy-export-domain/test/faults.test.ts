import { chown, mkdir, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { randomUUID } from "node:crypto";
import { readdirSync, readFileSync, renameSync, symlinkSync, writeFileSync, truncateSync } from "node:fs";
import { basename, join } from "node:path";

import { createRunHooks, type RunHooks } from "@ovault/contract";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";

import { optionsSchema, type ExportDomainStrategy } from "../src/index.ts";
import { StagingSlot } from "../src/room/staging-slot.ts";
import { Bench, differences, never, type Taken } from "./support/bench.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const GIB = 1024 ** 3;

let bench: Bench;
let taken: Taken;
beforeAll(async () => {
  bench = await Bench.open({ engineVersion: "3.6" });
  taken = await bench.backup();
});
afterAll(() => bench.close());
afterEach(async () => {
  for (const fault of ["clone-failure", "clone-no-space", "clone-hang", "export-failure", "low-space"] as const) {
    await bench.lab.fault(fault, "off");
  }
});

/** A strategy that does not wait for locks. */
const hasty = (options: Parameters<Bench["strategyWith"]>[0] = {}) => bench.strategyWith(options, bench.hasty);

/** The error of a run that was to take the disks, as it was told by the assessment or not. */
async function refusalOf(strategy: ExportDomainStrategy): Promise<unknown> {
  const vm = await bench.vm();
  const ledger = await bench.ledger.forRun({ runId: randomUUID(), manager: "lab", strategy: strategy.name });
  const context = { runId: ledger.runId, ledger, hooks: createRunHooks(), signal: never };
  const request = { vm, disks: vm.disks, base: undefined, full: true, quiesce: "try", keepBase: false } as const;
  try {
    const turn = await strategy.awaitTurn(request, context);
    const instant = await strategy.takeInstant({ ...request, turn }, context);
    await instant.close("failed");
    return undefined;
  } catch (error) {
    return error;
  } finally {
    await ledger.end();
  }
}

/** What is left after the next run's cleanup. */
async function cleared(): Promise<readonly string[]> {
  await bench.removeLeftovers();
  return await bench.settled();
}

async function centerId(): Promise<string> {
  return (await bench.manager.api.infrastructure.dataCenters(never))[0]?.id ?? "";
}

/** Files of the first image in the tree. */
function first(): { readonly volume: string; readonly meta: string } {
  const [image = ""] = readdirSync(bench.path("images"));
  const directory = bench.path("images", image);
  const [volume = ""] = readdirSync(directory).filter((name) => !name.includes("."));
  return { volume: join(directory, volume), meta: join(directory, `${volume}.meta`) };
}

function ovf(): string {
  const [vm = ""] = readdirSync(bench.path("master/vms"));
  return bench.path("master/vms", vm, `${vm}.ovf`);
}

function edit(file: string, change: (text: string) => string): void {
  writeFileSync(file, change(readFileSync(file, "utf8")));
}

/** Hooks that do something, once, when the run begins a phase. */
function inPhase(wanted: string, work: () => void): RunHooks {
  const hooks = createRunHooks();
  let done = false;
  hooks.phase.tap("test", ({ phase }) => {
    if (phase !== wanted || done) return;
    done = true;
    work();
  });
  return hooks;
}

describe("what the engine does with the clone", () => {
  test.each([
    ["clone-failure", "could not clone the snapshot of web"],
    ["clone-no-space", "could not clone the snapshot of web"],
    ["export-failure", "could not export the clone of web"],
  ] as const)("%s ends the backup with a clear error, and leaves nothing", async (fault, message) => {
    await bench.lab.fault(fault, "once");
    await expect(bench.backup()).rejects.toMatchObject({
      code: "E_EXPORT_FAILED",
      message: `the engine ${message}`,
      hint: expect.stringContaining("events say why"),
    });
    expect(await bench.settled()).toEqual([]);
    expect(differences(await bench.backup({ base: taken }), await bench.viewAll())).toEqual([]);
  });

  test("a clone that hangs ends the backup in time, and is removed when the engine lets go of it", async () => {
    await bench.lab.fault("clone-hang", "on");
    const strategy = hasty({ cloneTimeoutSeconds: 1, removalTimeoutSeconds: 1 });
    await expect(bench.backup({ strategy })).rejects.toMatchObject({
      code: "E_DEADLINE",
      message: expect.stringContaining("the snapshot of web to be cloned"),
    });
    expect(await bench.ledger.abandoned()).toHaveLength(2);
    await bench.lab.fault("clone-hang", "off");
    expect(await cleared()).toEqual([]);
  });

  test("an engine that restarts meanwhile only costs time", async () => {
    const hooks = inPhase("export", () => void bench.lab.fault("engine-restart", "once"));
    expect(differences(await bench.backup({ hooks }), await bench.viewAll())).toEqual([]);
    expect(await bench.settled()).toEqual([]);
  });

  test("a machine that is powered off meanwhile does not disturb the point", async () => {
    const views = await bench.viewAll();
    const hooks = inPhase("clone", () => void bench.lab.powerOff("web", { graceful: false }));
    const point = await bench.backup({ hooks });
    await bench.lab.powerOn("web");
    expect(differences(point, views)).toEqual([]);
    expect(await bench.settled()).toEqual([]);
  });
});

describe("the export domain", () => {
  test("one in maintenance is refused before anything is made", async () => {
    const { storageDomains } = bench.manager.api;
    await storageDomains.deactivate(await centerId(), bench.domainId, never);
    const strategy = hasty();
    const { disks } = await strategy.assess(await bench.vm(), never);
    expect(disks[0]).toMatchObject({
      verdict: "impossible",
      reason: "export domain staging-Default of data center Default is maintenance",
    });
    expect(await refusalOf(strategy)).toMatchObject({
      code: "E_EXPORT_DOMAIN",
      message: "export domain staging-Default of data center Default is maintenance",
    });
    await storageDomains.activate(await centerId(), bench.domainId, never);
    expect(await bench.settled()).toEqual([]);
  });

  test("one that is detached is refused, and so is a missing one", async () => {
    const { storageDomains } = bench.manager.api;
    await storageDomains.deactivate(await centerId(), bench.domainId, never);
    await storageDomains.detach(await centerId(), bench.domainId, never);
    expect(await refusalOf(hasty())).toMatchObject({
      code: "E_EXPORT_DOMAIN",
      message: "data center Default has no export domain",
    });
    expect(await refusalOf(hasty({ exportDomain: "staging-Default" }))).toMatchObject({
      message: "export domain staging-Default is not attached to data center Default",
    });
    expect(await refusalOf(hasty({ exportDomain: "nowhere" }))).toMatchObject({
      message: "the engine has no storage domain nowhere",
    });
    expect(await refusalOf(hasty({ exportDomain: "lab-storage" }))).toMatchObject({
      message: "storage domain lab-storage is no export domain",
    });
    await storageDomains.attach(await centerId(), bench.domainId, never);
    expect(await bench.settled()).toEqual([]);
  });

  test("one that lies elsewhere is refused: the folder must hold it", async () => {
    const elsewhere = join(bench.site.directory, "elsewhere");
    await mkdir(elsewhere);
    const strategy = hasty({ staging: elsewhere });
    expect(await refusalOf(strategy)).toMatchObject({
      code: "E_STAGING",
      message: expect.stringMatching(/^the engine's export domain does not lie in .*elsewhere: /),
    });
    expect(await bench.settled()).toEqual([]);
  });

  test.runIf(process.getuid?.() === 0)(
    "a wrong owner is refused with the exports line, before anything is made",
    async () => {
      const metadata = bench.path("dom_md/metadata");
      await chown(metadata, 65_534, 65_534);
      expect(await refusalOf(hasty())).toMatchObject({
        code: "E_STAGING_OWNER",
        message: expect.stringContaining("hosts write there as 65534:65534"),
        hint: expect.stringContaining(`${bench.folder} HOST(rw,sync,insecure,all_squash,anonuid=36,anongid=36)`),
      });
      await chown(metadata, 0, 0);
      expect(await bench.settled()).toEqual([]);
    },
  );

  test("a read-only export is found by a write through it, before anything is made", async () => {
    await bench.lab.fault("staging-read-only", "on");
    expect(await refusalOf(hasty())).toMatchObject({
      code: "E_STAGING",
      message: expect.stringMatching(/^hosts could not use 127\.0\.0\.1:\/staging\/Default .*: .*read only/),
      hint: expect.stringContaining("/etc/exports"),
    });
    await expect(bench.restore(taken, "refused")).rejects.toMatchObject({ code: "E_STAGING" });
    await bench.lab.fault("staging-read-only", "off");
    expect(await bench.settled()).toEqual([]);
  });

  test("what a killed proof left is removed by the next one", async () => {
    const [old, young] = [`.ovault-${randomUUID()}`, `.ovault-${randomUUID()}`].map((name) => join(bench.folder, name));
    for (const file of [old, young]) await writeFile(file ?? "", "");
    await utimes(old ?? "", 0, 0);
    expect(await refusalOf(hasty())).toBeUndefined();
    const left = (await readdir(bench.folder)).filter((name) => name.startsWith(".ovault-"));
    expect(left).toEqual([basename(young ?? "")]);
    await rm(young ?? "");
  });

  test("a folder of another node is refused", async () => {
    const directory = join(bench.folder, ".ovault");
    await mkdir(directory, { recursive: true });
    const process = { node: "other-node", pid: 1, bootId: "b", pidNamespace: "p", startTicks: 1 };
    await writeFile(join(directory, "0.slot"), JSON.stringify({ process, title: "the export of db01", bytes: GIB }));
    expect(await refusalOf(hasty())).toMatchObject({
      code: "E_STAGING",
      message: `another node uses ${bench.folder}: other-node, for the export of db01`,
      hint: expect.stringContaining(join(directory, "0.slot")),
    });
    expect((await bench.strategyWith({}).diagnose(never))[0]).toMatchObject({ status: "fail" });
    await rm(join(directory, "0.slot"));
    expect(await bench.settled()).toEqual([]);
  });
});

describe("room", () => {
  test.each([
    ["staging-full", "export"],
    ["staging-read-only", "export"],
  ] as const)("%s in the middle of an export ends the backup, and leaves nothing", async (fault, phase) => {
    const hooks = inPhase(phase, () => void bench.lab.fault(fault, "on"));
    await expect(bench.backup({ hooks })).rejects.toMatchObject({
      code: "E_EXPORT_FAILED",
      message: "the engine could not export the clone of web",
    });
    await bench.lab.fault(fault, "off");
    expect(await bench.settled()).toEqual([]);
  });

  test("a backup waits for its turn before it makes a snapshot", async () => {
    const holder = await bench.ledger.forRun({ runId: randomUUID(), manager: "lab", strategy: "export-domain" });
    const other = new AbortController();
    const waits: string[] = [];
    const hooks = createRunHooks();
    const place = { dataCenter: undefined, folder: bench.folder, exportDomain: undefined };
    const options = { ...optionsSchema.parse({}), staging: bench.folder };
    const wish = { options, place, title: "the export of db01", bytes: 1 };
    const slot = await StagingSlot.take(wish, { ledger: holder, hooks, signal: never });
    let snapshots = -1;
    hooks.phase.tap("test", ({ phase, detail }) => {
      if (phase !== "wait") return;
      waits.push(detail);
      void bench.lab.leftovers().then((left) => {
        snapshots = left.snapshots.length;
        other.abort(new Error("enough"));
      });
    });
    await expect(bench.backup({ hooks, signal: other.signal })).rejects.toThrow("enough");
    expect(waits).toEqual([`for room in ${bench.folder}: others are exported`]);
    expect(snapshots).toBe(0);
    await slot.release();
    await holder.end();
    expect(await bench.settled()).toEqual([]);
  });

  test("a limit that the machine does not fit in is refused before anything is made", async () => {
    expect(await refusalOf(hasty({ stagingLimit: 1024 }))).toMatchObject({ code: "E_NO_ROOM" });
    expect(await bench.settled()).toEqual([]);
    await expect(bench.backup({ strategy: hasty({ stagingLimit: 1024 }) })).rejects.toMatchObject({
      code: "E_NO_ROOM",
      message: expect.stringContaining("the limit is"),
    });
    expect(await cleared()).toEqual([]);
  });

  test("clones that have no room on their storage domain are refused before anything is made", async () => {
    await bench.lab.fault("low-space", "on");
    expect(await refusalOf(hasty({ freeMebibytesPerDisk: 0 }))).toMatchObject({
      code: "E_NO_ROOM",
      message: expect.stringContaining("the clone wants up to"),
    });
    await bench.lab.fault("low-space", "off");
    expect(await bench.settled()).toEqual([]);
  });

  test("a storage domain for clones that is not there is refused", async () => {
    expect(await refusalOf(hasty({ cloneDomain: "fast" }))).toMatchObject({
      code: "E_EXPORT_DOMAIN",
      message: "the storage domain for clones, fast, is not in this data center",
    });
  });
});

describe("a tree that another machine changed", () => {
  test("the error names the disk, and the next step", async () => {
    const hooks = inPhase("stage", () => truncateSync(first().volume, 512));
    await expect(bench.backup({ hooks })).rejects.toMatchObject({
      message: expect.stringMatching(/^the export of disk web_Disk\d cannot be read: /),
      hint: expect.stringContaining("Run the backup again"),
    });
    expect(await bench.settled()).toEqual([]);
  });

  test.each<readonly [string, () => void, string]>([
    ["a volume is cut short", () => truncateSync(first().volume, 512), " ends "],
    [
      "a volume is a link",
      () => {
        const { volume } = first();
        renameSync(volume, `${volume}.away`);
        symlinkSync("/etc/hostname", volume);
      },
      "is a link or no file",
    ],
    ["metadata are damaged", () => writeFileSync(first().meta, "SIZE=oops\n"), ".meta"],
    [
      "a volume lies on one of a template, which is not there",
      () => edit(first().meta, (text) => text.replace(/PUUID=.*/, "PUUID=11111111-1111-4111-8111-111111111111")),
      "has no volume 11111111-1111-4111-8111-111111111111",
    ],
    [
      "the metadata lead out of the tree",
      () => edit(first().meta, (text) => text.replace(/PUUID=.*/, "PUUID=../../../../etc/shadow")),
      "PUUID is no UUID",
    ],
    [
      "a volume is illegal",
      () => edit(first().meta, (text) => text.replace("LEGALITY=LEGAL", "LEGALITY=ILLEGAL")),
      "is illegal",
    ],
    [
      "the OVF names other files",
      () => edit(ovf(), (text) => text.replaceAll(/fileRef="[^/"]+/g, 'fileRef="../../dom_md')),
      "which is none of the clone's",
    ],
    ["the OVF is no OVF", () => writeFileSync(ovf(), "<html/>"), "not the OVF of a virtual machine"],
  ])("%s: the backup ends with what is wrong, and leaves nothing", async (_, damage, message) => {
    const hooks = inPhase("stage", damage);
    await expect(bench.backup({ hooks })).rejects.toMatchObject({
      code: expect.stringMatching(/^E_(STORAGE_DOMAIN|IMAGE_CORRUPT|ENGINE_ANSWER)$/),
      message: expect.stringContaining(message),
    });
    expect(await bench.settled()).toEqual([]);
  });
});
