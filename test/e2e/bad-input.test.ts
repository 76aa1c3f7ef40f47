import { chmod, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { LabRig } from "./support/lab-rig.ts";

let rig: LabRig;
beforeAll(async () => {
  rig = await LabRig.start({ web01: [["-f", "qcow2", "8M"]], db01: [["-f", "qcow2", "8M"]] });
});
afterAll(() => rig.stop());

const labFile = (name: string): string => join(rig.labDirectory, name);

/** Runs `work` while a file of the lab's directory holds something else. */
async function withFile(name: string, content: string, work: () => Promise<void>): Promise<void> {
  const before = await readFile(labFile(name));
  await writeFile(labFile(name), content);
  try {
    await work();
  } finally {
    await writeFile(labFile(name), before);
  }
}

describe("names that do not exist", () => {
  test.each([
    [["backup", "web1"], 'there is no virtual machine "web1", did you mean "web01"?'],
    [["backup", "web01", "--exclude-disk", "web01_Disk"], 'has no disk "web01_Disk", did you mean "web01_Disk1"?'],
    [["backup", "web01", "--to", "mian"], 'there is no destination "mian", did you mean "main"?'],
    [["backup", "web01", "--manager", "lap"], 'there is no manager "lap", did you mean "lab"?'],
    [["backup", "web01", "--strategy", "changed-block-trackin"], 'did you mean "changed-block-tracking"?'],
    [["restore", "web01@latest", "--as", "x"], 'there is no recovery point of "web01"'],
  ])("%j is answered with the nearest one", async (args, message) => {
    const { exitCode, stderr } = await rig.ovault(...args);
    expect(stderr).toContain(message);
    expect(exitCode).toBe(2);
  });
});

describe("an engine that cannot be used", () => {
  test("because the password is wrong", async () => {
    await withFile("lab-password", "not-the-password", async () => {
      const { exitCode, stderr } = await rig.ovault("vms");
      expect(stderr).toMatch(/^ovault: .*(refused|password)/);
      expect(stderr).not.toContain("not-the-password");
      expect(exitCode).toBe(3);
    });
  });

  test("because its password is readable by every user", async () => {
    await chmod(labFile("lab-password"), 0o644);
    const { exitCode, stderr } = await rig.ovault("vms");
    await chmod(labFile("lab-password"), 0o600);
    expect(stderr).toContain("readable by every user");
    expect(exitCode).toBe(2);
  });

  test.each([
    ["wrong-ca", /not signed by a trusted CA/],
    ["expired-certificate", /expired/],
  ])("because of its certificate (%s)", async (fault, message) => {
    await rig.lab.fault(fault, "on");
    try {
      const { exitCode, stderr } = await rig.ovault("vms", "--json");
      expect(JSON.parse(stderr)).toMatchObject({
        error: { code: "E_CERTIFICATE", message: expect.stringMatching(message) },
      });
      expect(exitCode).toBe(3);
      expect((await rig.ovault("doctor")).exitCode).toBe(8);
    } finally {
      await rig.lab.fault(fault, "off");
    }
  });
});

describe("a destination that cannot be used", () => {
  test("because its repository is damaged", async () => {
    await withFile("repository/ovault-repository", "not what was written", async () => {
      const { exitCode, stderr } = await rig.ovault("points", "--json");
      expect(JSON.parse(stderr)).toMatchObject({ error: { code: "E_INTEGRITY" } });
      expect(exitCode).toBe(5);
    });
  });
});

describe("several machines", () => {
  test("are not begun when one of their names is wrong", async () => {
    const { exitCode, stderr } = await rig.ovault("backup", "db01", "web1");
    expect(stderr).toContain('there is no virtual machine "web1"');
    expect(exitCode).toBe(2);
    expect(await rig.points()).toEqual([]);
  });

  test("are backed up though one of them fails, and the exit code tells", async () => {
    await rig.lab.write("web01", "0", { kind: "random", seed: "1", offset: 0, length: 4 * 1024 * 1024 });
    const configuration = await readFile(labFile("ovault.yaml"), "utf8");
    await withFile(
      "ovault.yaml",
      configuration.replace("pollMs: 100", "pollMs: 100\n    hostPatienceMs: 500"),
      async () => {
        // db01 holds nothing, so nothing of it is read.
        await rig.lab.fault("transfer-cut", "on");
        const { exitCode, stdout } = await rig.ovault("backup", "web01", "db01", "--json");
        await rig.lab.fault("transfer-cut", "off");
        expect(exitCode).toBe(7);
        expect(JSON.parse(stdout)).toMatchObject([
          { vm: { name: "web01" }, point: null, error: { code: expect.stringMatching(/^E_/) } },
          { vm: { name: "db01" }, point: { vm: { name: "db01" } }, error: null },
        ]);
      },
    );
  });
});
