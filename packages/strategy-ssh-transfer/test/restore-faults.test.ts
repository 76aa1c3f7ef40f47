import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { promisify } from "node:util";

import type { RestoreSession } from "@ovault/contract";
import { canMount } from "@ovault/test-support/small-disk";
import { afterAll, beforeAll, expect, test, vi } from "vitest";

import { Bench, never, type Taken } from "./support/bench.ts";
import { leftBeside } from "./support/findings.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const run = promisify(execFile);
const MIB = 1024 * 1024;
const mounts = await canMount();

let bench: Bench;
let taken: Taken;

beforeAll(async () => {
  bench = await Bench.open({ storageDomains: ["small"] });
  taken = await bench.backup();
});
afterAll(() => bench.close());

/** Random data into the first disk, a MiB at a time. */
async function writeInto({ disks: [target] }: RestoreSession, bytes: number): Promise<void> {
  for (let offset = 0; offset < bytes; offset += MIB) await target?.write(offset, randomBytes(MIB), never);
  await target?.flush(never);
}

/** Nothing stays of a failed restore, once what ends by itself has ended. */
async function expectNothingLeft(): Promise<void> {
  await expect.poll(() => leftBeside(bench, taken), { timeout: 20_000 }).toEqual([]);
}

test("qemu-nbd is killed: the restore fails and leaves nothing", async () => {
  const restored = bench.restore(taken, "broken", {
    instead: async (session) => {
      await writeInto(session, MIB);
      await bench.signalServers("SIGKILL");
      await writeInto(session, MIB);
    },
  });
  await expect(restored).rejects.toMatchObject({ code: "E_SERVING", retry: "transient" });
  await expectNothingLeft();
});

test.skipIf(!mounts)("the storage is full: the restore says so and leaves nothing", async () => {
  const domains = await bench.manager.api.infrastructure.storageDomains(never);
  const small = domains.find(({ name }) => name === "small");
  const directory = join(bench.site.directory, "lab/storage", small?.id ?? "");
  await run("mount", ["-t", "tmpfs", "-o", "size=4m", "ovault-test", directory]);
  try {
    const restored = bench.restore(taken, "too-large", {
      wishes: { storageDomain: "small" },
      instead: (session) => writeInto(session, 8 * MIB),
    });
    await expect(restored).rejects.toMatchObject({
      code: "E_VOLUME_FULL",
      hint: expect.stringContaining("free space"),
    });
    await expectNothingLeft();
  } finally {
    await run("umount", [directory]);
  }
});

test("there are no credentials for a host: nothing is made", async () => {
  const strategy = bench.strategyWith({ login: undefined });
  const restored = bench.restore(taken, "unreachable", { strategy });
  await expect(restored).rejects.toMatchObject({
    code: "E_HYPERVISOR",
    message: expect.stringContaining("no credentials for host lab-host"),
  });
  await expectNothingLeft();
});

test("the process dies: the next run ends what runs on the host, and removes the disks", async () => {
  const dead = bench.restore(taken, "dead", {
    abandon: true,
    instead: async (session) => {
      await writeInto(session, MIB);
      throw new Error("killed");
    },
  });
  await expect(dead).rejects.toThrow("killed");
  const actions = await bench.removeLeftovers();
  expect(actions.map((action) => action.split(" ")[0])).toEqual(["end", "end", "delete", "delete"]);
  await expectNothingLeft();
});
