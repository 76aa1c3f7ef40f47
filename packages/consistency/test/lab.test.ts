import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from "vitest";

import { consistencyOf, consistencySchema, frozenGuests } from "@ovault/consistency";
import type { RecoveryPoint, Strategy } from "@ovault/contract";
import { backupVirtualMachine, FileLedger, type Ledger } from "@ovault/core";
import { type Lab, startLab } from "@ovault/lab";
import { OvirtManager } from "@ovault/ovirt";
import changedBlockTracking from "@ovault/strategy-changed-block-tracking";
import imageTransfer from "@ovault/strategy-image-transfer";
import { MemoryStore, pluginOptions } from "@ovault/testkit";
import { run } from "@ovault/test-support/commands";

import { smallRepository } from "@ovault/test-support/repository/small-repository";
import { hostIn, never } from "./support/bench.ts";
import type { FreezeAndStay } from "./support/freeze-and-stay.ts";

const MIB = 1024 * 1024;
const STRATEGIES = ["changed-block-tracking", "image-transfer"] as const;
type StrategyName = (typeof STRATEGIES)[number];
const PATIENCE = { timeout: 30_000 };

let directory: string;
let lab: Lab;
let manager: OvirtManager;
let strategies: Readonly<Record<StrategyName, Strategy>>;
let ledger: Ledger;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "ovault-consistency-"));
  const image = join(directory, "disk.qcow2");
  await run("qemu-img", ["create", "-q", "-f", "qcow2", image, String(MIB)]);
  const vms = [
    { name: "web", images: [image] },
    { name: "mute", images: [image], guestAgent: false },
  ];
  lab = await startLab({ directory: join(directory, "lab"), vms, delayMs: 5 });
  manager = new OvirtManager("lab", {
    url: lab.url,
    user: lab.user,
    password: lab.password,
    trust: { ca: [await readFile(lab.caFile, "utf8")] },
    timings: { pollMs: 10 },
  });
  ledger = await FileLedger.open(join(directory, "ledger"));
  const host = { ...hostIn(directory), signal: never, manager };
  strategies = {
    "changed-block-tracking": await changedBlockTracking.create(await pluginOptions(changedBlockTracking, {}), host),
    "image-transfer": await imageTransfer.create(await pluginOptions(imageTransfer, {}), host),
  };
});
afterAll(async () => {
  await manager.close();
  await lab.stop();
  await rm(directory, { recursive: true });
});
beforeEach(async () => {
  for (const { name } of await lab.faults()) await lab.fault(name, "off");
});

interface Taken {
  readonly point?: RecoveryPoint;
  readonly error?: unknown;
  /** What the guest was asked. */
  readonly events: readonly string[];
}

interface Wishes {
  readonly by?: StrategyName;
  readonly signal?: AbortSignal;
}

async function takeBackup(name: string, options: object, wishes: Wishes = {}): Promise<Taken> {
  const { by = "changed-block-tracking", signal = never } = wishes;
  const known = (await lab.guest(name)).events.length;
  const vm = (await manager.inventory(never)).find((candidate) => candidate.name === name);
  if (vm === undefined) throw new Error(`no VM ${name}`);
  const parsed = consistencySchema.parse({ freeze: "explicit", ...options });
  const { quiesce, tap } = consistencyOf(parsed, { ...hostIn(directory), manager, ledger });
  const outcome = await backupVirtualMachine({
    vm,
    strategy: strategies[by],
    keepBase: false,
    store: await smallRepository(new MemoryStore(), 64 * 1024),
    ledger,
    full: true,
    quiesce,
    excludeDisks: [],
    taps: [tap],
    ifBusy: "refuse",
    signal,
  }).then(
    (point) => ({ point }),
    (error: unknown) => ({ error }),
  );
  const { frozen, events } = await lab.guest(name);
  expect(frozen).toBe(false);
  const { checkpoints: _, ...left } = await lab.leftovers();
  expect(Object.values(left).flat()).toEqual([]);
  return { ...outcome, events: events.slice(known) };
}

test.each(STRATEGIES)(
  "%s: a guest is frozen before its snapshot and thawed after it, though the host tries the same in between",
  async (by) => {
    const { point, events } = await takeBackup("web", { quiesce: "require" }, { by });
    expect(events).toEqual(["freeze", "frozen", "host could not freeze", "host thawed", "thaw", "thawed"]);
    expect(point).toMatchObject({ consistency: "filesystem", warnings: [] });
  },
);

test.each(STRATEGIES)("%s: implicitly, the host alone freezes, and the point knows it", async (by) => {
  const { point, events } = await takeBackup("web", { freeze: "implicit", quiesce: "require" }, { by });
  expect(events).toEqual(["host froze", "host thawed"]);
  expect(point?.consistency).toBe("filesystem");
});

test("a guest without an agent is taken without, or not at all", async () => {
  const tried = await takeBackup("mute", { quiesce: "try" });
  expect(tried.events.slice(0, 2)).toEqual(["freeze", "thaw"]);
  expect(tried.point).toMatchObject({
    consistency: "crash",
    warnings: [expect.stringMatching(/mute were not frozen: .*agent is not responding/)],
  });
  const required = await takeBackup("mute", { quiesce: "require" });
  expect(required.events).toEqual(["freeze", "thaw"]);
  expect(required.error).toMatchObject({ code: "E_QUIESCE", hint: expect.stringContaining("guest agent") });
});

test.each(STRATEGIES)(
  "%s: a freeze that hangs past its time is thawed when it takes hold at last, and the snapshot is taken without it",
  async (by) => {
    await lab.fault("freeze-hang", "on");
    const known = (await lab.guest("web")).events.length;
    const taking = takeBackup("web", { quiesce: "try", freezeTimeoutSeconds: 3 }, { by });
    await expect.poll(async () => (await lab.guest("web")).events.slice(known), PATIENCE).toContain("thawed");
    await lab.fault("freeze-hang", "off");
    const { point, events } = await taking;
    const hold = events.indexOf("frozen");
    expect(events.slice(0, hold).toSorted()).toEqual(["freeze", "thaw", "thawed"]);
    expect(events.slice(hold, hold + 3)).toEqual(["frozen", "thaw", "thawed"]);
    expect(point).toMatchObject({
      consistency: "crash",
      warnings: [expect.stringContaining("was not frozen within 3 s")],
    });
  },
);

test("a run that is cancelled while the guest is being frozen leaves it thawed", async () => {
  await lab.fault("freeze-hang", "on");
  const known = (await lab.guest("web")).events.length;
  const cancelling = new AbortController();
  const taking = takeBackup("web", { quiesce: "try" }, { signal: cancelling.signal });
  await expect.poll(async () => (await lab.guest("web")).events.slice(known), PATIENCE).toContain("freeze");
  cancelling.abort();
  await expect.poll(async () => (await lab.guest("web")).events.slice(known), PATIENCE).toContain("thawed");
  await lab.fault("freeze-hang", "off");
  const { error, events } = await taking;
  expect(error).toMatchObject({ code: "E_CANCELLED" });
  expect(events).toEqual(["freeze", "thaw", "thawed", "frozen", "thaw", "thawed"]);
});

test("a snapshot that cannot be made, or must not be, leaves the guest thawed", async () => {
  for (const [fault, code] of [
    ["snapshot-failure", "E_SNAPSHOT_FAILED"],
    ["low-space", "E_NO_ROOM"],
  ] as const) {
    await lab.fault(fault, "on");
    const { error, events } = await takeBackup("web", { quiesce: "require" }, { by: "image-transfer" });
    await lab.fault(fault, "off");
    expect(error).toMatchObject({ code });
    expect(events.slice(0, 2)).toEqual(["freeze", "frozen"]);
    expect(events.slice(-2)).toEqual(["thaw", "thawed"]);
  }
});

test("a guest that does not thaw at once is asked again, and its point promises nothing", async () => {
  await lab.fault("thaw-failure", "once");
  const { point, events } = await takeBackup("web", { quiesce: "try" });
  expect(events.slice(-3)).toEqual(["thaw", "thaw", "thawed"]);
  expect(point).toMatchObject({
    consistency: "crash",
    warnings: [expect.stringContaining("may have thawed by itself")],
  });
});

test("a guest that does not thaw at all causes a warning", async () => {
  await lab.fault("thaw-failure", "on");
  const { point } = await takeBackup("web", { quiesce: "try", thawTimeoutSeconds: 2 });
  expect(point?.warnings).toEqual([expect.stringMatching(/web MAY BE FROZEN/)]);
  await lab.fault("thaw-failure", "off");
  await manager.quiescing.freeze({ id: point?.vm.id ?? "" }, never);
  const [leftover] = await frozenGuests(manager).leftovers(await ledger.abandoned(), never);
  expect(leftover).toMatchObject({ gone: false, action: "thaw web", entry: { title: "frozen file systems of web" } });
  await leftover?.remove(never);
  expect((await lab.guest("web")).frozen).toBe(false);
  for (const entry of await ledger.abandoned()) await ledger.resolve(entry);
});

test("a guest that a killed run left frozen is thawed by the next command that reads the ledger", async () => {
  const options: FreezeAndStay = {
    url: lab.url,
    user: lab.user,
    passwordFile: join(directory, "lab", "lab-password"),
    caFile: lab.caFile,
    ledgerDirectory: join(directory, "ledger"),
    vm: "web",
  };
  const script = fileURLToPath(new URL("./support/freeze-and-stay.ts", import.meta.url));
  const child = spawn(process.execPath, [script, JSON.stringify(options)], { stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  await once(child.stdout, "data");
  expect((await lab.guest("web")).frozen).toBe(true);
  expect(await ledger.abandoned()).toEqual([]);
  child.kill("SIGKILL");
  await once(child, "exit");
  const leftovers = await frozenGuests(manager).leftovers(await ledger.abandoned(), never);
  expect(leftovers.map(({ action }) => action)).toEqual(["thaw web"]);
  for (const leftover of leftovers) {
    await leftover.remove(never);
    await ledger.resolve(leftover.entry);
  }
  expect((await lab.guest("web")).frozen).toBe(false);
  expect(await ledger.abandoned()).toEqual([]);
});

test("a machine that is down is at rest, and is not asked", async () => {
  await lab.powerOff("web", { graceful: true });
  try {
    const { point, events } = await takeBackup("web", { quiesce: "require" });
    expect(events).toEqual([]);
    expect(point?.consistency).toBe("offline");
  } finally {
    await lab.powerOn("web");
  }
});
