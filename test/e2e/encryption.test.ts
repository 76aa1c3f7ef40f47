import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { runOvault } from "@ovault/test-support/ovault/run-ovault";
import { LabRig } from "./support/lab-rig.ts";

const PASSPHRASE = "correct horse battery staple";
const WRONG = { OVAULT_PASSPHRASE: "correct horse battery stable" };
const VM = "payroll-database";

let rig: LabRig;
let repository: string;
beforeAll(async () => {
  const env = { OVAULT_PASSPHRASE: PASSPHRASE };
  rig = await LabRig.start({ [VM]: [["-f", "qcow2", "16M"]] }, { start: ["--encrypt"], env });
  repository = join(rig.labDirectory, "repository");
});
afterAll(() => rig.stop());

/** All files of a repository, by path. */
async function contents(): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>();
  for (const entry of await readdir(repository, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile()) files.set(path, await readFile(path));
  }
  return files;
}

const alias = `${VM}_Disk1`;

describe("a lab started with --encrypt", () => {
  test("needs the passphrase before anything starts", async () => {
    const directory = rig.file("none");
    for (const detach of [[], ["--detach"]]) {
      const options = ["lab", "start", "--dir", directory, "--encrypt", ...detach];
      const { exitCode, stderr } = await runOvault(options, { cwd: rig.directory, env: { OVAULT_PASSPHRASE: "" } });
      expect(stderr).toContain("OVAULT_PASSPHRASE");
      expect(exitCode).toBe(2);
    }
    expect(await readdir(directory)).toEqual(["lab.log"]);
  });

  test("refers to the passphrase and does not hold it", async () => {
    const text = await readFile(join(rig.labDirectory, "ovault.yaml"), "utf8");
    expect(text).toMatch(/encryption:\s+passphrase:\s+env: OVAULT_PASSPHRASE/);
    expect(text).not.toContain(PASSPHRASE);
  });

  test("is backed up fully and incrementally, and restored as it was", async () => {
    await rig.lab.write(VM, "0", { offset: 0, length: 3 << 20, kind: "random", seed: "1" });
    await rig.json("backup", VM);
    const first = await rig.view(alias);
    await rig.lab.write(VM, "0", { offset: 1 << 20, length: 1 << 20, kind: "random", seed: "2" });
    await rig.json("backup", VM);
    const [full, increment] = await rig.points();
    expect([full, increment].map((point) => point?.disks[0]?.mode)).toEqual(["full", "incremental"]);
    expect((await rig.restored(full?.id ?? "", "0")).equals(first)).toBe(true);
    expect((await rig.restored(increment?.id ?? "", "0")).equals(await rig.view(alias))).toBe(true);
    const healthy = await rig.ovault("verify", "--all");
    expect(healthy.exitCode).toBe(0);
    expect((await rig.ovault("doctor")).stdout).toMatch(/ok +main: repository/);
  });

  test("has a destination that tells nothing", async () => {
    const { vms } = await rig.lab.status();
    const needles = [VM, "Envelope", PASSPHRASE, ...vms.flatMap((vm) => [vm.id, ...vm.disks.map(({ id }) => id)])];
    for (const [path, bytes] of await contents()) {
      for (const needle of needles) expect(`${path} ${bytes.includes(needle)}`).toBe(`${path} false`);
      expect(path.slice(repository.length)).not.toMatch(new RegExp(needles.join("|")));
    }
  });

  test.each([["points"], ["backup", VM], ["restore", `${VM}@latest`, "--as", "new"]])(
    "with a wrong passphrase, %s ends with 4 before anything is touched",
    async (...command) => {
      const before = await contents();
      const { exitCode, stderr } = await rig.ovaultWith(WRONG, ...command, "--json");
      expect({ exitCode, ...JSON.parse(stderr) }).toMatchObject({
        exitCode: 4,
        error: { code: "E_KEY_WRONG", message: "this passphrase does not open the repository in destination main" },
      });
      expect(stderr).not.toContain("correct horse");
      expect(await contents()).toEqual(before);
      const { backups, transfers, snapshots } = await rig.lab.leftovers();
      expect({ backups, transfers, snapshots }).toEqual({ backups: [], transfers: [], snapshots: [] });
    },
  );

  test("gives no backup to a repository that was put in its place", async () => {
    const aside = rig.file("aside");
    await rename(repository, aside);
    await mkdir(repository);
    const config = rig.file("thief.yaml");
    await writeFile(config, `destinations: { main: { type: filesystem, directory: ${repository} } }`);
    expect((await rig.ovault("destination", "init", "--config", config)).exitCode).toBe(0);
    const before = await contents();
    const { exitCode, stderr } = await rig.ovault("backup", VM, "--json");
    expect(JSON.parse(stderr)).toMatchObject({ error: { code: "E_KEY_NOT_ENCRYPTED" } });
    expect(exitCode).toBe(4);
    expect(await contents()).toEqual(before);
    await rm(repository, { recursive: true });
    await rename(aside, repository);
  });

  test("can be taken up again without the passphrase", async () => {
    await rig.ovault("lab", "stop", "--dir", rig.labDirectory);
    const options = ["lab", "start", "--dir", rig.labDirectory, "--detach"];
    expect((await rig.ovaultWith({ OVAULT_PASSPHRASE: "" }, ...options)).exitCode).toBe(0);
    expect((await rig.points()).length).toBe(2);
  });
});

async function packs(): Promise<readonly (readonly [string, Buffer])[]> {
  return [...(await contents())].filter(([path]) => path.includes("/packs/"));
}

describe("ovault key", () => {
  test("changes the passphrase, and no pack", async () => {
    const before = await packs();
    const renewed = { OVAULT_PASSPHRASE: "a new one", NEW: "a new one" };
    const added = await rig.ovaultWith(
      { NEW: "a new one" },
      "key",
      "add",
      "--passphrase",
      "env:NEW",
      "--label",
      "2027",
    );
    expect(added).toMatchObject({ exitCode: 0, stderr: "" });
    const listed = await rig.ovaultWith(renewed, "key", "list", "--json");
    const { keys, damaged } = JSON.parse(listed.stdout);
    expect(keys).toMatchObject([
      { kind: "passphrase", inUse: false },
      { kind: "passphrase", label: "2027", inUse: true },
    ]);
    expect(damaged).toEqual([]);
    const [old, fresh] = keys;
    const inUse = await rig.ovault("key", "remove", old.id);
    expect(inUse.stderr).toContain("--in-use");
    expect(inUse.exitCode).toBe(2);
    expect(await rig.ovaultWith(renewed, "key", "remove", old.id.slice(0, 6))).toMatchObject({ exitCode: 0 });
    const locked = expect.stringContaining("this passphrase does not open the repository");
    expect(await rig.ovault("points")).toMatchObject({ exitCode: 4, stderr: locked });
    expect(await rig.ovaultWith(renewed, "points")).toMatchObject({ exitCode: 0, stderr: "" });
    const last = await rig.ovaultWith(renewed, "key", "remove", fresh.id, "--in-use");
    expect(last.stderr).toContain("the last key");
    expect(last.exitCode).toBe(2);
    expect(await packs()).toEqual(before);
    await rig.ovaultWith({ ...renewed, OLD: PASSPHRASE }, "key", "add", "--passphrase", "env:OLD");
  });

  test("adds a key file that opens everything when nothing else is left", async () => {
    const added = await rig.ovault("key", "add", "--key-file", "safe.key", "--label", "safe");
    expect(added.stdout).toContain(`MADE ${rig.file("safe.key")}: KEEP A COPY`);
    expect((await stat(rig.file("safe.key"))).mode & 0o777).toBe(0o600);
    const config = rig.file("rescue.yaml");
    const encryption = "encryption: { keyFile: safe.key }";
    await writeFile(config, `destinations: { rescue: { type: filesystem, directory: ${repository}, ${encryption} } }`);
    const restore = [
      "restore",
      `${VM}@latest`,
      "--disk",
      "0",
      "--to-file",
      rig.file("rescued.raw"),
      "--config",
      config,
    ];
    expect(await rig.ovaultWith({ OVAULT_PASSPHRASE: "" }, ...restore)).toMatchObject({ exitCode: 0 });
    expect((await readFile(rig.file("rescued.raw"))).equals(await rig.view(alias))).toBe(true);
  });

  test.each([
    [["add"], "--passphrase or --key-file is missing"],
    [["add", "--passphrase", "hunter2-hunter2"], "a passphrase is never given itself"],
    [["add", "--passphrase", "env:A", "--key-file", "b"], "exclude each other"],
    [["remove", "nothing"], "there is no key nothing"],
  ])("%j is a usage error", async (args, message) => {
    const { exitCode, stderr } = await rig.ovault("key", ...args);
    expect(stderr).toContain(message);
    expect(stderr).not.toContain("hunter2");
    expect(exitCode).toBe(2);
  });
});

/** `ovault init` for the engine of the lab. */
async function init(config: string, ...options: readonly string[]): ReturnType<LabRig["ovault"]> {
  const { url, user, caFingerprint } = await rig.lab.status();
  const password = `file:${join(rig.labDirectory, "lab-password")}`;
  const engine = ["--url", url, "--user", user, "--password", password, "--ca-fingerprint", caFingerprint];
  return await rig.ovault("init", "--config", rig.file(config), ...engine, ...options);
}

describe("ovault init", () => {
  test("--encrypt --key-file makes the key file, and says loudly to keep it", async () => {
    const keyFile = rig.file("init.key");
    const { exitCode, stdout } = await init("one.yaml", "--destination", "one", "--encrypt", "--key-file", "init.key");
    expect(exitCode).toBe(0);
    expect(stdout).toContain(`KEEP A COPY OF THE KEY FILE ${keyFile}`);
    expect((await stat(keyFile)).mode & 0o777).toBe(0o600);
    const opened = { exitCode: 0, stderr: "" };
    expect(await rig.ovault("points", "--config", rig.file("one.yaml"))).toMatchObject(opened);
    await rename(keyFile, `${keyFile}.lost`);
    const lost = await rig.ovault("points", "--config", rig.file("one.yaml"));
    expect(lost.stderr).toContain(`cannot read the key file ${keyFile}`);
    expect(lost.exitCode).toBe(2);
    // It makes no second key file for a repository that has a first one.
    const again = await init("again.yaml", "--destination", "one", "--encrypt", "--key-file", "init.key");
    expect(again.stderr).toContain(`cannot read the key file ${keyFile}`);
    expect(again.exitCode).toBe(2);
    await rename(`${keyFile}.lost`, keyFile);
    await init("again.yaml", "--destination", "one", "--encrypt", "--key-file", "init.key");
    expect(await rig.ovault("points", "--config", rig.file("again.yaml"))).toMatchObject(opened);
  });

  test("writes down any kind of destination, checked by its plugin", async () => {
    const options = ["--destination-type", "filesystem", "--destination-option", "directory=two", "--json"];
    const made = await init("two.yaml", ...options, "--encrypt", "--passphrase", "env:OVAULT_PASSPHRASE");
    expect(JSON.parse(made.stdout)).toMatchObject({
      destination: { type: "filesystem", directory: "two", created: true, encrypted: true, madeKeyFile: null },
    });
    expect((await rig.ovault("points", "--config", rig.file("two.yaml"))).exitCode).toBe(0);
  });

  test.each([
    [["--destination-type", "s4"], 2, "there is no destination plugin"],
    [["--destination-type", "s3", "--destination-option", "buckett=x"], 2, "unknown key"],
    [["--destination-type", "s3", "--destination", "/srv"], 2, "--destination is a directory"],
    [["--destination-option", "hunter2"], 2, "must be KEY=VALUE"],
    [["--destination-option", "directory=[hunter2"], 2, "does not parse as YAML"],
    [["--destination", "three", "--key-file", "k"], 2, "for --encrypt"],
    [["--destination", "three", "--encrypt"], 2, "--passphrase or --key-file is missing"],
    [["--destination", "three", "--encrypt", "--passphrase", "hunter2-hunter2"], 2, "never given itself"],
    [["--destination", "three", "--encrypt", "--passphrase", "env:NOT_THERE"], 2, "NOT_THERE is not set"],
  ])("%j is refused, and no ovault.yaml is written", async (options, code, message) => {
    const { exitCode, stderr } = await init("three.yaml", ...options);
    expect(stderr).toContain(message);
    expect(stderr).not.toContain("hunter2");
    expect(exitCode).toBe(code);
    await expect(stat(rig.file("three.yaml"))).rejects.toThrow("ENOENT");
    await expect(stat(rig.file("three/ovault-repository"))).rejects.toThrow("ENOENT");
  });

  test("destination init makes an encrypted repository, with its key file, for a destination in ovault.yaml", async () => {
    const config = rig.file("four.yaml");
    const encryption = "encryption: { keyFile: four.key }";
    await writeFile(config, `destinations: { nas: { type: filesystem, directory: four, ${encryption} } }`);
    const { stdout } = await rig.ovault("destination", "init", "--config", config);
    expect(stdout).toContain("nas: new encrypted repository");
    expect(stdout).toContain(`KEEP A COPY OF THE KEY FILE ${rig.file("four.key")}`);
    const again = await rig.ovault("destination", "init", "--config", config);
    expect(again).toMatchObject({ exitCode: 0, stdout: "nas: existing encrypted repository\n" });
  });
});
