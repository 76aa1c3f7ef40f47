import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, expect, test } from "vitest";

import { runOvault } from "@ovault/test-support/ovault/run-ovault";
import { writeHostileSite } from "./support/hostile-site.ts";
import { OBEYED } from "./support/obeyed.ts";

let cwd: string;
beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), "ovault-hostile-"));
  await writeHostileSite(cwd);
  for (const name of ["one", "two"]) await runOvault(["destination", "init", name], { cwd });
});
afterAll(() => rm(cwd, { recursive: true, force: true }));

/** In the order of a life: later ones need what earlier ones made. */
const COMMANDS: readonly (readonly [exitCode: number, ...args: readonly string[]])[] = [
  [0, "vms"],
  [0, "policies"],
  [0, "policies", "all"],
  [0, "backup", "vm-1", "--dry-run"],
  [0, "backup", "vm-1"],
  [0, "backup", "vm-1"],
  [1, "backup", "vm-1", "--full"],
  [1, "backup", "--policy", "all", "--full"],
  [0, "points"],
  [0, "show", "vm-1@latest"],
  [0, "verify", "--all"],
  [0, "repair"],
  [0, "space"],
  [0, "copy", "vm-1@latest", "--to", "two"],
  [0, "restore", "vm-1@latest", "--dry-run", "--as", "copy"],
  [0, "restore", "vm-1@latest", "--disk", "0", "--to-file", "disk.raw"],
  [2, "restore", "vm-1@latest", "--disk", "none", "--to-file", "none.raw"],
  [2, "show", "\u001B[2Jnone@latest"],
  [0, "forget", "--keep-last", "1", "--dry-run"],
  [0, "forget", "--policy", "all"],
  [0, "prune"],
  [2, "backup", "\u001B[2Jnone"],
  [2, "\u001B[2J"],
];

test(
  "no command sends a terminal what names and messages of engines and stores hold",
  { timeout: 120_000 },
  async () => {
    const found: unknown[] = [];
    for (const [exitCode, ...args] of COMMANDS) {
      // The first run of a command is the one that may change something.
      for (const options of [[], ["--debug"], ["--json"]]) {
        const { stdout, stderr, exitCode: ended } = await runOvault([...args, ...options], { cwd });
        const command = [...args, ...options].join(" ");
        if (OBEYED.test(stdout) || OBEYED.test(stderr)) found.push({ command, stdout, stderr });
        if (options.length === 0 && ended !== exitCode) found.push({ command, ended, stderr });
      }
    }
    expect(found).toEqual([]);
    const shown = await runOvault(["show", "vm-1@latest"], { cwd });
    expect(shown.stdout).toContain("\\x1b[2J\\x1b[31mRED\\x07");
  },
);
