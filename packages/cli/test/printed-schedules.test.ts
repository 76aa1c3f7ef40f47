import { execFile } from "node:child_process";
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { promisify } from "node:util";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { runOvault } from "@ovault/test-support/ovault/run-ovault";

const run = promisify(execFile);
const page = await readFile(new URL("../../../docs/operations.md", import.meta.url), "utf8");

/** Files that the page prints, by the path in their first line. */
const printed = new Map(
  [...page.matchAll(/```\w+\n# (\/\S+)\n([\s\S]*?)```/g)].map(([, path = "", text = ""]) => [path, text]),
);
const units = [...printed].filter(([path]) => path.startsWith("/etc/systemd/system/"));
const cron = printed.get("/etc/cron.d/ovault") ?? "";
const jobs = [...cron.matchAll(/^[\d*]+ +[\d*]+ +[\d*]+ +[\d*]+ +[\d*]+ +root +(.+)$/gm)].map(
  ([, command = ""]) => command,
);
const hasAnalyze = await run("systemd-analyze", ["--version"]).then(Boolean, () => false);

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "ovault-schedules-"));
});
afterAll(() => rm(directory, { recursive: true }));

describe("the systemd units of docs/operations.md", () => {
  test.skipIf(!hasAnalyze)("are valid to systemd", async () => {
    const files = units.map(([path]) => join(directory, basename(path)));
    for (const [index, [, text]] of units.entries()) await writeFile(files[index] ?? "", text);
    // What it says of these files, not of others that are installed.
    const { stderr } = await run("systemd-analyze", ["verify", "--man=no", ...files]).catch(
      (error: { stderr: string }) => error,
    );
    expect(stderr.split("\n").filter((line) => line.includes("ovault"))).toEqual([]);
  });

  test("are a timer for each service, which calls commands that there are", async () => {
    const names = units.map(([path]) => basename(path)).toSorted();
    expect(names).toEqual(["backup", "prune"].flatMap((name) => [`ovault-${name}.service`, `ovault-${name}.timer`]));
    for (const [path, text] of units) {
      const service = path.endsWith(".service");
      expect(text.includes("WantedBy=timers.target")).toBe(!service);
      expect(/^Environment=PATH=.*\/usr\/local\/bin/m.test(text)).toBe(service);
      for (const [, line = ""] of text.matchAll(/^ExecStart=\/usr\/bin\/env (.+)$/gm)) await expectCommands(line);
    }
  });
});

describe("the cron lines of docs/operations.md", () => {
  test("have what cron does not bring, no character that it changes, and commands that there are", async () => {
    expect(cron).toMatch(/^PATH=.*\/usr\/local\/bin/m);
    expect(cron).toMatch(/^MAILTO=\S+@\S+$/m);
    expect(cron).toMatch(/^OVAULT_CONFIG=\/\S+$/m);
    expect(jobs).toHaveLength(2);
    for (const job of jobs) {
      expect(job).not.toContain("%");
      await expectCommands(job);
    }
  });

  test.each([
    ["say nothing when all goes well", 0],
    ["print the end of the log when a command fails", 3],
  ])("%s", async (_, exitCode) => {
    const bin = join(directory, `bin-${exitCode}`);
    const log = join(directory, `log-${exitCode}`);
    await mkdir(bin);
    await writeFile(join(bin, "ovault"), `#!/bin/sh\necho "called with $*"\nexit ${exitCode}\n`);
    await chmod(join(bin, "ovault"), 0o755);
    for (const job of jobs) {
      await rm(log, { force: true });
      const env = { PATH: `${bin}:/usr/bin:/bin` };
      const { stdout } = await run("/bin/sh", ["-c", job.replaceAll("/var/log/ovault.log", log)], { env });
      const logged = await readFile(log, "utf8");
      expect(logged).toMatch(/^called with (backup|forget) /);
      expect(stdout).toBe(exitCode === 0 ? "" : logged);
    }
  });
});

/** The help of each `ovault COMMAND --option` has them. */
async function expectCommands(line: string): Promise<void> {
  const calls = [...line.matchAll(/\bovault ([a-z]+)((?: --?[\w-]+| \w+)*)/g)];
  expect(calls.length).toBeGreaterThan(0);
  for (const [, name = "", rest = ""] of calls) {
    const { exitCode, stdout } = await runOvault([name, "--help"], { cwd: directory });
    expect([name, exitCode]).toEqual([name, 0]);
    for (const [option] of rest.matchAll(/--[\w-]+/g)) expect(stdout).toContain(`${option} `);
  }
}
