import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { setImmediate } from "node:timers/promises";

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";

import { tally } from "@ovault/testkit";

import { LabRig, until } from "./support/lab-rig.ts";

const MIB = 1024 * 1024;
const CLEAN = { backups: [], transfers: [], lockedDisks: [], unattachedDisks: [], snapshots: [], scratch: [] };

let rig: LabRig;
beforeAll(async () => {
  rig = await LabRig.start({ web01: [["-f", "qcow2", "16M"]] });
  await rig.lab.write("web01", "0", { kind: "random", seed: "1", offset: 0, length: 4 * MIB });
  await rig.json("backup", "web01");
});
afterAll(() => rig.stop());

/** What a process says on stderr, so far. */
function collect(child: ChildProcess): () => string {
  let said = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (said += text));
  return () => said;
}

/** A command that is in the middle of a transfer, and stays there. */
async function hangInTransfer(...args: readonly string[]): Promise<ChildProcess> {
  await rig.lab.fault("slow-extents", "on");
  const child = rig.begin(...args);
  await until(async () => (await rig.lab.leftovers()).transfers.length > 0);
  return child;
}

describe("a backup under way", () => {
  beforeEach(async () => {
    await rig.lab.fault("slow-extents", "off");
  });

  test.each(["SIGINT", "SIGTERM"] as const)(
    "interrupted by %s cleans up on the engine, says so and ends with 130",
    async (signal) => {
      const before = await rig.points();
      const child = await hangInTransfer("backup", "web01");
      const said = collect(child);
      child.kill(signal);
      const [exitCode] = await once(child, "close");
      expect(exitCode).toBe(130);
      expect(said()).toContain(`${signal}: stopping and cleaning up`);
      expect(await rig.lab.leftovers()).toMatchObject(CLEAN);
      expect(await rig.points()).toEqual(before);
    },
  );

  test("interrupted by Ctrl-C twice leaves at once, and says what is left and how to remove it", async () => {
    const child = await hangInTransfer("backup", "web01");
    await rig.lab.fault("finalize-hang", "on");
    const said = collect(child);
    child.kill("SIGINT");
    await until(async () => said().includes("stopping and cleaning up"));
    child.kill("SIGINT");
    const [exitCode] = await once(child, "close");
    expect(exitCode).toBe(130);
    expect(said()).toMatch(/Left behind:\n(.*\n)* {2}backup of web01/);
    expect(said()).toContain("ovault doctor --fix");
    await rig.lab.fault("finalize-hang", "off");
    await rig.lab.fault("slow-extents", "off");
    expect((await rig.ovault("doctor", "--fix", "--yes")).exitCode).toBe(0);
    expect(await rig.lab.leftovers()).toMatchObject(CLEAN);
  });

  test("ended by kill -9 is cleaned up by doctor --fix, which says what it removes", async () => {
    const child = await hangInTransfer("backup", "web01");
    child.kill("SIGKILL");
    await once(child, "exit");
    tally("kills");
    await rig.lab.fault("slow-extents", "off");
    const look = await rig.ovault("doctor");
    expect(look.stdout).toMatch(/warn +lab: leftovers +.*backup of web01/);
    expect((await rig.lab.leftovers()).transfers).not.toEqual([]);
    const fix = await rig.ovault("doctor", "--fix", "--yes");
    expect(fix.stderr).toContain("backup of web01");
    expect(fix.stdout).toMatch(/ok +lab: leftovers +removed/);
    expect(fix.exitCode).toBe(0);
    expect(await rig.lab.leftovers()).toMatchObject(CLEAN);
  });
});

test("a signal that comes when all is done and said changes nothing about how the command ends", async () => {
  const child = rig.begin("points");
  const closed = once(child, "close");
  child.stdout?.once("data", async () => {
    while (child.kill("SIGINT")) await setImmediate();
  });
  expect(await closed).toEqual([0, null]);
});
