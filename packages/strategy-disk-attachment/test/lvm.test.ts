import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { diagnoseLvm } from "../src/diagnose-lvm.ts";
import { admits } from "../src/lvm-filter.ts";
import { hasLvm } from "./support/needs.ts";

const never = new AbortController().signal;

describe("an LVM filter", () => {
  test.each([
    [["a|.*|"], ["/dev/sda"], true],
    [["r|.*|"], ["/dev/sda"], false],
    [["a|^/dev/vda$|", "r|.*|"], ["/dev/vda"], true],
    [["a|^/dev/vda$|", "r|.*|"], ["/dev/sdb"], false],
    [["r|.*|", "a|^/dev/vda$|"], ["/dev/vda"], false],
    [[], ["/dev/sda"], true],
    [["r|^/dev/cdrom$|"], ["/dev/sda"], true],
    // One name is enough.
    [["a|^/dev/disk/by-id/x$|", "r|.*|"], ["/dev/sda", "/dev/disk/by-id/x"], true],
    [["r/sdb/", "a{.*}"], ["/dev/sdb"], false],
    [["r(sdb)", "a[.*]"], ["/dev/sdc"], true],
  ] as const)("%j admits %j: %s", (filter, names, expected) => {
    expect(admits(filter, names)).toBe(expected);
  });

  test.each(["", "a", "a|", "x|.*|", "a|(|"])("%j is no pattern, and said to be none", (text) => {
    expect(() => admits([text], ["/dev/sda"])).toThrow(SyntaxError);
  });
});

describe.skipIf(!(await hasLvm()))("the diagnosis by the LVM of this machine", () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "ovault-lvm-"));
    vi.stubEnv("LVM_SYSTEM_DIR", directory);
  });
  afterEach(async () => {
    vi.unstubAllEnvs();
    await rm(directory, { recursive: true });
  });

  const write = (devices: string): Promise<void> =>
    writeFile(join(directory, "lvm.conf"), `devices {\n${devices}\n}\n`);
  const writeDevicesFile = async (name: string): Promise<void> => {
    await mkdir(join(directory, "devices"), { recursive: true });
    await writeFile(join(directory, "devices", name), "");
  };

  test.each([
    ["a devices file", "use_devicesfile = 1", "system.devices"],
    ["a devices file of another name", 'use_devicesfile = 1\ndevicesfile = "own.devices"', "own.devices"],
    ["a global filter", 'global_filter = [ "a|^/dev/vda3$|", "r|.*|" ]', undefined],
    ["a filter", 'filter = [ "a|^/dev/mapper/mpath|", "a|^/dev/nvme0|", "r|.*|" ]', undefined],
    ["a filter that rejects disks of QEMU", 'filter = [ "r|/dev/sd|", "r|/dev/disk/|" ]', undefined],
  ])("%s keeps LVM off", async (_, devices, devicesFile) => {
    await write(devices);
    if (devicesFile !== undefined) await writeDevicesFile(devicesFile);
    expect(await diagnoseLvm(never)).toMatchObject({ status: "ok", hint: null });
  });

  test.each([
    ["nothing", "use_devicesfile = 0"],
    ["a devices file that is not there", "use_devicesfile = 1"],
    ["a filter that rejects something else", 'global_filter = [ "r|^/dev/cdrom$|", "a|.*|" ]'],
    ["a filter that accepts all SCSI disks", 'global_filter = [ "a|^/dev/sd|", "r|.*|" ]'],
    ["an invalid filter", 'global_filter = [ "nonsense" ]'],
  ])("%s does not, and the advice says what to write", async (_, devices) => {
    await write(devices);
    expect(await diagnoseLvm(never)).toMatchObject({
      status: "warn",
      hint: expect.stringMatching(/use_devicesfile = 1.*\bglobal_filter = \[ .*"r\|\.\*\|" \]/s),
    });
  });

  test("what it says to write keeps LVM off", async () => {
    await write("use_devicesfile = 0");
    const { hint } = await diagnoseLvm(never);
    const [, filter = ""] = /devices \{ (global_filter = \[.*?\]) \}/.exec(hint ?? "") ?? [];
    await write(filter);
    expect(await diagnoseLvm(never)).toMatchObject({ status: "ok" });
    await write("use_devicesfile = 1");
    await writeDevicesFile("system.devices");
    expect(await diagnoseLvm(never)).toMatchObject({ status: "ok" });
  });
});
