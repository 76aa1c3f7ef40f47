import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";

import { expect, test } from "vitest";

import { BEAT, remoteProgram } from "../src/session/remote-program.ts";

/** As sshd does it: a session of its own, with a pipe for input. Resolves to what is printed behind the mark. */
async function runGuarded(
  line: string,
  closeInputAfter?: string,
): Promise<{ code: unknown; signal: unknown; printed: string }> {
  const { line: command, preamble, mark } = remoteProgram(line, { args: [], kind: "guarded" });
  const shell = spawn("/bin/sh", ["-c", command], { detached: true, stdio: ["pipe", "pipe", "ignore"] });
  shell.stdin.write(preamble);
  if (closeInputAfter !== undefined) {
    shell.stdout.on("data", (bytes: Buffer) => {
      if (bytes.includes(closeInputAfter)) shell.stdin.end();
    });
  }
  const printed = text(shell.stdout);
  const [code, signal] = await once(shell, "exit");
  shell.stdin.destroy();
  return { code, signal, printed: (await printed).replace(`${mark}\n`, "") };
}

test("a guarded script does what it does without: output, exit code, no input", async () => {
  expect(await runGuarded("echo a; cat; exit 7 # done")).toEqual({ code: 7, signal: null, printed: "a\n" });
  expect(await runGuarded("true")).toMatchObject({ code: 0 });
});

test("it ends with all that it started when its input ends, even what does not want to", async () => {
  const stubborn = "(trap '' TERM; echo begun; while :; do sleep 1; done) & wait";
  expect(await runGuarded(stubborn, "begun")).toMatchObject({ code: null, signal: "SIGTERM" });
});

test("a part of a program is not run: the connection may break in the middle of it", async () => {
  const { line, preamble } = remoteProgram("echo run", { args: [], kind: "guarded" });
  for (const part of [preamble.slice(0, -1), preamble.slice(1), preamble.slice(0, 200), ""]) {
    const shell = spawn("/bin/sh", ["-c", line], { stdio: ["pipe", "pipe", "ignore"] });
    shell.stdin.end(part);
    const printed = await text(shell.stdout);
    expect(printed).toBe("");
  }
});

test("a guarded script ends when it hears nothing any more, and goes on as long as there are beats", async () => {
  const { line, preamble } = remoteProgram("echo begun; sleep 1000", { args: [], kind: "guarded" });
  // The same length: the line counts the bytes of the program.
  const impatient = preamble.replace("timeout 120", "timeout 1  ");
  expect(impatient).not.toBe(preamble);
  const shell = spawn("/bin/sh", ["-c", line], { detached: true, stdio: ["pipe", "pipe", "ignore"] });
  const ended = once(shell, "exit");
  shell.stdin.write(impatient);
  for (let beats = 0; beats < 12; beats += 1) {
    await delay(250);
    shell.stdin.write(BEAT);
  }
  expect(shell.exitCode ?? shell.signalCode).toBeNull();
  expect(await ended).toEqual([null, "SIGTERM"]);
  shell.stdin.destroy();
});
