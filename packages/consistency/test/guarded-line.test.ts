import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";

import { expect, test } from "vitest";

import { guardedLine } from "../src/guarded-line.ts";

/** As sshd does it: a session of its own, with a pipe for input. */
async function runGuarded(
  line: string,
  closeInputAfter?: string,
): Promise<{ code: unknown; signal: unknown; printed: string }> {
  const shell = spawn("/bin/sh", ["-c", guardedLine(line)], { detached: true, stdio: ["pipe", "pipe", "inherit"] });
  if (closeInputAfter !== undefined) {
    shell.stdout.on("data", (bytes: Buffer) => {
      if (bytes.includes(closeInputAfter)) shell.stdin.end();
    });
  }
  const printed = text(shell.stdout);
  const [code, signal] = await once(shell, "exit");
  return { code, signal, printed: await printed };
}

test("a guarded line does what it does without: output, exit code, no input", async () => {
  expect(await runGuarded("echo a; cat; exit 7 # done")).toEqual({ code: 7, signal: null, printed: "a\n" });
  expect(await runGuarded("true")).toMatchObject({ code: 0 });
});

test("it ends with all that it started when its input ends, even what does not want to", async () => {
  const stubborn = "(trap '' TERM; echo begun; while :; do sleep 1; done) & wait";
  expect(await runGuarded(stubborn, "begun")).toMatchObject({ code: null, signal: "SIGTERM" });
});
