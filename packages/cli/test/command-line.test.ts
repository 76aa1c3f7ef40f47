import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { Repository } from "@ovault/core";
import { createFilesystemDestination, FilesystemStore } from "@ovault/destination-filesystem";

import { runOvault } from "@ovault/test-support/ovault/run-ovault";

let cwd: string;
beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), "ovault-cli-"));
});
afterAll(() => rm(cwd, { recursive: true, force: true }));

async function configure(text: string): Promise<void> {
  await writeFile(join(cwd, "ovault.yaml"), text);
}

describe("the command line", () => {
  test("shows its commands when nothing is asked", async () => {
    const { exitCode, stdout, stderr } = await runOvault([], { cwd });
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    for (const name of ["init", "doctor", "vms", "backup", "points", "show", "forget", "restore", "verify", "lab"]) {
      expect(stdout).toMatch(new RegExp(`^  ${name} `, "m"));
    }
  });

  test.each(["init", "doctor", "vms", "backup", "points", "show", "forget", "restore", "verify", "repair", "copy"])(
    "explains %s with options and examples",
    async (name) => {
      const { exitCode, stdout } = await runOvault([name, "--help"], { cwd });
      expect(exitCode).toBe(0);
      expect(stdout).toContain("--config <file>");
      expect(stdout).toContain("--json");
      expect(stdout).toContain("Examples:");
    },
  );

  test.each([
    [["bakup", "web01"], /unknown command 'bakup'.*backup/],
    [["backup"], /nothing says what to back up/],
    [["backup", "web01", "--fulll"], /unknown option '--fulll'.*--full/],
    [["restore", "p1"], /say what to restore/],
    [["restore", "p1", "--as", "x", "--disk", "0"], /say what to restore/],
    [["restore", "p1", "--as", "x", "--mac", "any"], /'any' is invalid.*keep, new/],
    [["doctor", "--yes"], /--yes is for --fix/],
    [["verify", "p1", "--all"], /one of them/],
    [["verify", "--all", "--sample", "5%"], /one of them/],
    [["verify", "--sample", "200%"], /'200%' is invalid.*percentage/],
    [["copy", "p1"], /required option '--to/],
    [["copy", "--to", "nas"], /say which points/],
    [["copy", "p1", "--all", "--to", "nas"], /say which points/],
    [["copy", "p1", "--newer", "--to", "nas"], /--newer is for --vm and --all/],
    [["forget"], /nothing says which points to forget/],
    [["forget", "p1", "--keep-last", "1"], /choose one/],
    [["forget", "p1", "--vm", "web01"], /--vm and --time-zone are for rules/],
    [["forget", "--keep-last", "0"], /'0' is invalid.*whole number from 1/],
  ])("%j is a usage error", async (args, message) => {
    const { exitCode, stdout, stderr } = await runOvault(args, { cwd });
    expect(stderr).toMatch(message);
    expect(stderr).toMatch(/^ovault: .*\n {2}hint: |^ovault: /);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
  });

  test("reports errors as JSON on stderr with --json", async () => {
    const { exitCode, stdout, stderr } = await runOvault(["points", "--json", "--config", "none.yaml"], { cwd });
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
    expect(JSON.parse(stderr)).toMatchObject({ error: { code: "E_CONFIGURATION", hint: expect.any(String) } });
  });

  test("shows no stack, except with --debug", async () => {
    const args = ["points", "--config", "none.yaml"];
    expect((await runOvault(args, { cwd })).stderr).not.toContain("    at ");
    expect((await runOvault([...args, "--debug"], { cwd })).stderr).toContain("    at ");
  });

  test("takes the configuration from OVAULT_CONFIG", async () => {
    const { stderr } = await runOvault(["points"], { cwd, env: { OVAULT_CONFIG: "/nowhere/my.yaml" } });
    expect(stderr).toContain("cannot read the configuration /nowhere/my.yaml");
  });

  test("takes an empty OVAULT_CONFIG as none", async () => {
    const { stderr } = await runOvault(["points"], { cwd, env: { OVAULT_CONFIG: "" } });
    expect(stderr).not.toContain(`cannot read the configuration ${cwd}\n`);
    expect(stderr).toContain(join(cwd, "ovault.yaml"));
  });

  test.each([
    [["bakup"], "ovault --help"],
    [["points", "a", "b", "c"], "ovault points --help"],
    [["key", "lst"], "ovault key --help"],
    [["key", "list", "a", "b"], "ovault key list --help"],
  ])("%j: the hint names the help of the command", async (args, help) => {
    expect((await runOvault(args, { cwd })).stderr).toContain(`hint: See \`${help}\`.`);
  });

  test("key list takes the destination as an argument or an option, once", async () => {
    await configure("destinations: { nas: { type: filesystem, directory: missing } }");
    for (const args of [["none"], ["--destination", "none"]]) {
      expect((await runOvault(["key", "list", ...args], { cwd })).stderr).toContain('no destination "none"');
    }
    const twice = await runOvault(["key", "list", "nas", "--destination", "nas"], { cwd });
    expect(twice).toMatchObject({ exitCode: 2, stderr: expect.stringContaining("given twice") });
  });

  test("refuses an unknown option of a plugin with line and path", async () => {
    await configure("destinations:\n  nas:\n    type: filesystem\n    direktory: /backup\n");
    const { exitCode, stderr } = await runOvault(["points"], { cwd });
    expect(exitCode).toBe(2);
    expect(stderr).toContain('line 4: destinations.nas.direktory: unknown key, did you mean "directory"?');
  });

  test.each([
    [
      "destinations: { nas: { type: filsystem, directory: x } }",
      2,
      /no destination plugin "filsystem", did you mean "filesystem"/,
    ],
    ["destinations: { nas: { type: filesystem, directory: missing } }", 4, /missing does not exist/],
    ["destinations: { nas: { type: filesystem, directory: . } }", 4, /holds no ovault repository/],
    ["plugins: [ovault-none]", 2, /the plugin ovault-none was not found/],
  ])("with %s ends in %i", async (configuration, code, message) => {
    await configure(configuration);
    const { exitCode, stderr } = await runOvault(["points"], { cwd });
    expect(stderr).toMatch(message);
    expect(exitCode).toBe(code);
  });

  test("answers an unknown destination with the nearest known one", async () => {
    await configure("destinations: { nas: { type: filesystem, directory: x } }");
    const { exitCode, stderr } = await runOvault(["points", "--from", "nass"], { cwd });
    expect(exitCode).toBe(2);
    expect(stderr).toContain('there is no destination "nass", did you mean "nas"?');
  });
});

describe("an empty repository", () => {
  beforeAll(async () => {
    const directory = join(cwd, "backup");
    await createFilesystemDestination(directory);
    const repository = await Repository.create(await FilesystemStore.open(directory), {
      signal: new AbortController().signal,
    });
    await repository.close();
    await configure("destinations: { nas: { type: filesystem, directory: backup } }");
  });

  test("has no points, in words and as JSON", async () => {
    expect(await runOvault(["points"], { cwd })).toMatchObject({ exitCode: 0, stdout: "no recovery points yet\n" });
    expect(await runOvault(["points", "--json"], { cwd })).toMatchObject({ exitCode: 0, stdout: "[]\n", stderr: "" });
  });

  test("verifies, and passes the doctor", async () => {
    expect(await runOvault(["verify", "--all"], { cwd })).toMatchObject({ exitCode: 0 });
    const { exitCode, stdout } = await runOvault(["doctor", "--json"], { cwd });
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toContainEqual(
      expect.objectContaining({ name: "nas: repository", status: "ok", detail: "writable, 0 recovery points" }),
    );
  });

  test("is not written to by the doctor where it is set to be read-only", async () => {
    const settings = "{ nas: { type: filesystem, directory: backup, readOnly: true } }";
    await writeFile(join(cwd, "read-only.yaml"), `destinations: ${settings}`);
    const { exitCode, stdout } = await runOvault(["doctor", "--config", "read-only.yaml", "--json"], { cwd });
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toContainEqual(
      expect.objectContaining({ name: "nas: repository", detail: "set to be read-only, 0 recovery points" }),
    );
  });

  test("shows with --debug what the destination is asked, and only then", async () => {
    const { stdout, stderr } = await runOvault(["points", "--debug"], { cwd });
    expect(stderr).toMatch(/^nas: get ovault-repository \d+ bytes [\d.]+ ms done$/m);
    expect(stderr).toMatch(/^nas: list: \d+ calls, 0 failed, 0 B; half took up to/m);
    expect(stdout).toBe("no recovery points yet\n");
    expect((await runOvault(["points", "--debug", "--json"], { cwd })).stderr).toBe("");
    expect((await runOvault(["points"], { cwd })).stderr).toBe("");
  });

  test("knows no point, and says what to do", async () => {
    const { exitCode, stderr } = await runOvault(["show", "0192"], { cwd });
    expect(exitCode).toBe(2);
    expect(stderr).toContain("no recovery point 0192");
    expect((await runOvault(["show", "web01@latest"], { cwd })).stderr).toContain('no recovery point of "web01"');
  });
});

describe("init", () => {
  const complete = ["--url", "https://127.0.0.1:1/ovirt-engine", "--destination", "new"];

  test("never touches a configuration that is there", async () => {
    await configure("state: mine");
    const before = await stat(join(cwd, "ovault.yaml"));
    const { exitCode, stderr } = await runOvault(["init", ...complete], { cwd });
    expect(exitCode).toBe(2);
    expect(stderr).toContain("exists already");
    expect((await stat(join(cwd, "ovault.yaml"))).mtimeMs).toBe(before.mtimeMs);
  });

  test("names the missing option when there is no terminal", async () => {
    const { exitCode, stderr } = await runOvault(["init", "--config", "new.yaml"], { cwd });
    expect(exitCode).toBe(2);
    expect(stderr).toContain("--url is missing");
  });

  test("writes nothing when the engine does not answer", async () => {
    const { exitCode, stderr } = await runOvault(["init", "--config", "new.yaml", ...complete], { cwd });
    expect(stderr).toContain("127.0.0.1:1");
    expect(exitCode).toBe(3);
    await expect(stat(join(cwd, "new.yaml"))).rejects.toThrow("ENOENT");
    await expect(stat(join(cwd, "new"))).rejects.toThrow("ENOENT");
  });
});
