import { existsSync } from "node:fs";
import { chmod, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { describe, expect, test } from "vitest";

import { temporaryDirectory } from "@ovault/test-support/temporary-directory";
import { until } from "@ovault/test-support/until";
import { isAlive } from "@ovault/test-support/is-alive";

import { HOSTILE_NAME, listen, run, withTimeToBegin } from "./support/bench.ts";

/** Prints what matters of its environment. */
const SHOW_ENVIRONMENT = [
  process.execPath,
  "-e",
  "require('fs').writeFileSync('seen', JSON.stringify(process.env)); console.log('done')",
];

describe("a command on this machine", () => {
  test("runs in the directory of ovault.yaml, knows what it is for, and nothing of ours besides", async () => {
    const directory = await temporaryDirectory();
    process.env["OVAULT_TEST_SECRET"] = "swordfish";
    const command = { run: SHOW_ENVIRONMENT, environment: { PLAIN: "a", KEY: { env: "OVAULT_TEST_SECRET" } } };
    try {
      const phases = await run(command, { directory, side: "after" });
      expect(phases).toEqual([
        `after snapshot: ${process.execPath}: starts`,
        `after snapshot: ${process.execPath}: done`,
      ]);
      const seen: Record<string, string> = JSON.parse(await readFile(join(directory, "seen"), "utf8"));
      expect(seen).toMatchObject({
        OVAULT_VM: HOSTILE_NAME.replace("\0", ""),
        OVAULT_VM_ID: "vm-1",
        OVAULT_MANAGER: "lab",
        OVAULT_RUN: "run-1",
        OVAULT_PHASE: "after",
        PLAIN: "a",
        KEY: "swordfish",
        PATH: process.env["PATH"],
      });
      expect(seen).not.toHaveProperty("OVAULT_TEST_SECRET");
      expect(existsSync("/tmp/ovault-pwned")).toBe(false);
    } finally {
      delete process.env["OVAULT_TEST_SECRET"];
    }
  });

  test("has no shell unless it asks for one", async () => {
    const directory = await temporaryDirectory();
    expect(await run({ run: ["echo", "$OVAULT_PHASE; ls"] }, { directory })).toContain(
      "before snapshot: echo: $OVAULT_PHASE; ls",
    );
    const phases = await run({ name: "two", run: 'echo "$OVAULT_PHASE" | tr a-z A-Z', shell: true }, { directory });
    expect(phases).toContain("before snapshot: two: BEFORE");
  });

  test("that fails is reported with its code and last words, without secrets", async () => {
    const directory = await temporaryDirectory();
    await writeFile(join(directory, "secret"), "swordfish\n", { mode: 0o600 });
    const environment = { KEY: { file: "secret" } };
    const told = listen();
    const failing = { name: "dump", run: "echo one; echo no $KEY >&2; exit 3", shell: true, environment };
    await expect(run(failing, { directory, told })).rejects.toMatchObject({
      code: "E_COMMAND",
      message: expect.stringMatching(
        /^the command dump before the snapshot failed: it ended with exit code 3 \(.*no •••/,
      ),
    });
    expect(told.phases.join("\n")).not.toContain("swordfish");
    await expect(run({ run: "kill -9 $$", shell: true }, { directory })).rejects.toThrow("it was ended by SIGKILL");
  });

  test("that is not there, or must not be run, is an error of its own", async () => {
    const directory = await temporaryDirectory();
    await expect(run({ run: ["./absent"] }, { directory })).rejects.toMatchObject({
      code: "E_COMMAND",
      message: expect.stringContaining("ENOENT"),
    });
    await writeFile(join(directory, "script"), "#!/bin/sh\n");
    await expect(run({ run: ["./script"] }, { directory })).rejects.toThrow("EACCES");
    await chmod(join(directory, "script"), 0o700);
    await run({ run: ["./script"] }, { directory });
  });

  test("that takes too long is ended with all that it started, even if that does not want to", async () => {
    const directory = await temporaryDirectory();
    const stubborn = `(trap '' TERM; echo stubborn; while :; do sleep 1; done) & echo $! > child; wait`;
    const child = join(directory, "child");
    const failure = await withTimeToBegin(
      () => existsSync(child),
      (timeoutSeconds) =>
        run({ run: stubborn, shell: true, timeoutSeconds }, { directory }).catch((error: unknown) => error),
    );
    expect(failure).toMatchObject({ message: expect.stringMatching(/it took longer than \d+ s, and was ended/) });
    const pid = Number(await readFile(child, "utf8"));
    await until("the child is gone", () => !isAlive(pid));
  });

  test("is ended when the run is cancelled, and that is the reason it gives", async () => {
    const directory = await temporaryDirectory();
    const cancelling = new AbortController();
    const running = run({ run: "echo $$ > pid; sleep 1000", shell: true }, { directory, signal: cancelling.signal });
    const pid = async (): Promise<number> => Number(await readFile(join(directory, "pid"), "utf8").catch(() => ""));
    await until("it runs", async () => (await pid()) > 0);
    const started = await pid();
    cancelling.abort(new Error("cancelled"));
    await expect(running).rejects.toThrow("cancelled");
    await until("it is gone", () => !isAlive(started));
  });

  test("may leave something running on purpose, also with its output", async () => {
    const directory = await temporaryDirectory();
    const phases = await run({ run: "sleep 1000 & echo $! > child; echo left", shell: true }, { directory });
    expect(phases.at(-1)).toMatch(/left$/);
    process.kill(Number(await readFile(join(directory, "child"), "utf8")));
  });
});
