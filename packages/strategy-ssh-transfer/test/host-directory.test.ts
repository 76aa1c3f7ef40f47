import { execFile, spawn } from "node:child_process";
import { readdir } from "node:fs/promises";
import { promisify } from "node:util";

import { describe, expect, test } from "vitest";

import { canHaveOtherUsers } from "@ovault/test-support/throw-away-user";

import { FIND_DIRECTORY, MAKE_DIRECTORY } from "../src/hosts/host-directory.ts";

const run = promisify(execFile);

/** Runs a script where the first of these directories are full file systems, and the last one is empty. */
async function runWhereFull(directories: readonly string[], script: string): Promise<string> {
  const full = directories.map(
    (path) => `mount -t tmpfs -o size=4k none ${path}; cat /dev/zero > ${path}/fill 2>/dev/null`,
  );
  const all = [...full, script].join("\n");
  const { stdout } = await run("unshare", ["--mount", "sh", "-c", all, "sh", `ovault-test-${process.pid}`]);
  return stdout.trim();
}

describe.skipIf(!(await canHaveOtherUsers()))("a directory on a host", () => {
  test("is made in the next place where one is full, and goes with the script", async () => {
    const script = `${MAKE_DIRECTORY}\nls -ld "$directory"`;
    expect(await runWhereFull(["/run"], script)).toMatch(/^drwx------.* \/tmp\/ovault-test-\d+$/);
    expect((await readdir("/tmp")).filter((name) => name === `ovault-test-${process.pid}`)).toEqual([]);
  });

  test("cannot be made where all places are full: the script says so and runs no further", async () => {
    const script = `${MAKE_DIRECTORY}\necho "in $directory"`;
    const failure: unknown = await runWhereFull(["/run", "/tmp"], script).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 1, stdout: "", stderr: expect.stringContaining("no room for a directory") });
  });

  test("goes as well when the script is ended", async () => {
    const ending = `(${MAKE_DIRECTORY}\nstop() { echo stopped; }; kill -s TERM "$(exec sh -c 'echo $PPID')"; sleep 5)`;
    const script = `${ending}\nname=$1; ${find("")}`;
    expect(await runWhereFull([], script)).toBe("stopped");
  });

  test("goes as well when the script is ended while it ends by itself", async () => {
    const ending = `(${MAKE_DIRECTORY}\nstop() { kill -s TERM "$(exec sh -c 'echo $PPID')"; echo stopped; })`;
    const script = `${ending}\nname=$1; ${find("")}`;
    expect(await runWhereFull([], script)).toBe("stopped");
  });
});

function find(argument: string): string {
  return `echo "$name" | sh -c '${FIND_DIRECTORY.replaceAll("'", `'\\''`)}' sh ${argument}`;
}

test("what is not ours is not ended, even if its command line has the name", async () => {
  const name = `ovault-${crypto.randomUUID()}`;
  const other = spawn("sleep", ["30"], { argv0: `sleep-${name}` });
  try {
    const { stdout } = await run("sh", ["-c", `name=$1; ${find("end")}`, "sh", name]);
    expect(stdout).toBe("");
    expect(other.exitCode).toBeNull();
    expect(other.signalCode).toBeNull();
  } finally {
    other.kill();
  }
});
