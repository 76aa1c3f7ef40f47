import { existsSync } from "node:fs";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { afterAll, describe, expect, onTestFinished, test, vi } from "vitest";

import type { SshSession } from "@ovault/ssh";
import { OpenSshServer } from "@ovault/test-support/open-ssh-server";
import { canHaveOtherUsers } from "@ovault/test-support/throw-away-user";
import { until } from "@ovault/test-support/until";

import { ChannelPool } from "../src/session/channel-pool.ts";
import { RemoteProcess } from "../src/session/remote-process.ts";
import { BEAT, BEAT_MS } from "../src/session/remote-program.ts";
import { isAlive, openSession, startServer } from "./support/bench.ts";

const never = new AbortController().signal;
const server = await OpenSshServer.start();
afterAll(() => server.stop());
const session = await openSession(server);
afterAll(() => session.close());

describe("a script on the server", () => {
  test("has arguments, input and outputs of its own, and its exit code is known", async () => {
    const script = 'printf "%s|" "$@"; cat; echo problem >&2; exit 3';
    const input = Uint8Array.of(0, 39, 92, 10, 37, 200, 255, 33);
    const bytes = await session.run(`${script}`, ["a", "b"], { signal: never, input, accept: [3] });
    expect(bytes).toMatchObject({ exitCode: 3, stderr: "problem\n" });
    const sum = await session.run("od -An -tu1", [], { signal: never, input });
    expect(sum.stdout.trim().split(/\s+/).map(Number)).toEqual([...input]);
  });

  test("has no input but its own, so that it cannot read what ovault sends to its guard", async () => {
    expect((await session.run("cat; echo done", [], { signal: never })).stdout).toBe("done\n");
  });

  test("is in no command line there, nor are its arguments", async () => {
    const { stdout } = await session.run("tr '\\0' ' ' < /proc/$PPID/cmdline; cat /proc/$$/cmdline", ["geheim"], {
      signal: never,
    });
    expect(stdout).toContain("/bin/sh");
    expect(stdout).not.toContain("geheim");
  });

  test("fails with its exit code and last words, in one line", async () => {
    const script = "echo first >&2; printf 'second\\033[1m\\n' >&2; exit 7";
    await expect(session.run(script, [], { signal: never })).rejects.toMatchObject({
      code: "E_SSH_COMMAND",
      exitCode: 7,
      message: "a command on 127.0.0.1 ended with exit code 7: first second [1m",
    });
  });

  test("that is killed by a signal, or not a script, fails", async () => {
    await expect(session.run("kill -9 $$", [], { signal: never })).rejects.toMatchObject({ code: "E_SSH_COMMAND" });
    await expect(session.run("if then", [], { signal: never })).rejects.toMatchObject({ code: "E_SSH_COMMAND" });
  });

  test("with a NUL in it or an argument, or too long, is refused before anything is sent", async () => {
    await expect(session.run("true", ["a\0b"], { signal: never })).rejects.toThrow("NUL");
    await expect(session.run("tr\0ue", [], { signal: never })).rejects.toThrow("NUL");
    await expect(session.run("true", ["x".repeat(300_000)], { signal: never })).rejects.toThrow("too long");
  });

  test("that prints more than allowed fails, and ends there", async () => {
    const directory = await server.newDirectory();
    const script = 'echo $$ > "$1/pid"; exec yes';
    await expect(session.run(script, [directory], { signal: never, mostBytes: 1_000 })).rejects.toMatchObject({
      code: "E_SSH_COMMAND",
      message: expect.stringContaining("printed more than 1000 bytes"),
    });
    await gone(directory);
  });

  test("that takes longer than its deadline fails, and ends there with all that it started", async () => {
    const directory = await server.newDirectory();
    const script = `sleep 1000 & echo $! > "$1/pid"; trap '' TERM; while :; do sleep 1; done`;
    await expect(session.run(script, [directory], { signal: never, deadlineMs: 500 })).rejects.toMatchObject({
      code: "E_SSH_COMMAND",
      message: expect.stringContaining("did not end within 500 ms"),
    });
    await gone(directory);
  });

  test("ends when the signal is aborted, and that is the reason the call gives", async () => {
    const directory = await server.newDirectory();
    const stop = new AbortController();
    const running = session.run('echo $$ > "$1/pid"; sleep 1000', [directory], { signal: stop.signal });
    await until("it runs", () => existsSync(join(directory, "pid")));
    stop.abort(new Error("cancelled"));
    await expect(running).rejects.toThrow("cancelled");
    await gone(directory);
  });
});

describe("a script that lives on", () => {
  const SERVE = 'sleep 1000 & echo $! > "$1/pid"; echo "serves $!"; wait';

  test("is ready with its first line, and ends with its children when it is closed", async () => {
    const directory = await server.newDirectory();
    const started = await session.start(SERVE, [directory], { signal: never });
    const pid = Number(await readFile(join(directory, "pid"), "utf8"));
    expect(started.ready).toBe(`serves ${pid}`);
    expect(isAlive(pid)).toBe(true);
    await started.close();
    await gone(directory);
    expect(await started.ended).toMatchObject({ lost: undefined });
  });

  test("ends when the signal is aborted", async () => {
    const directory = await server.newDirectory();
    const stop = new AbortController();
    const started = await session.start(SERVE, [directory], { signal: stop.signal });
    stop.abort();
    expect(await started.ended).toMatchObject({ lost: undefined });
    await gone(directory);
  });

  test("ends when the connection does", async () => {
    const directory = await server.newDirectory();
    const own = await openSession(server);
    const started = await own.start(SERVE, [directory], { signal: never });
    await own.close();
    expect(await started.ended).toMatchObject({ lost: "ovault ended it" });
    await gone(directory);
  });

  test("whose server ends the connection says so", async () => {
    const own = await openSession(server);
    await expect(own.run("kill -9 $PPID", [], { signal: never })).rejects.toThrow(
      /: the server closed the connection$/,
    );
    await own.close();
  });

  test("that ends before it is ready fails with its last words; one that is never ready fails too", async () => {
    await expect(session.start("echo cannot >&2; exit 4", [], { signal: never })).rejects.toMatchObject({
      code: "E_SSH_COMMAND",
      exitCode: 4,
      message: "a command on 127.0.0.1 ended with exit code 4 before it was ready: cannot",
    });
    await expect(session.start("sleep 1000", [], { signal: never, deadlineMs: 300 })).rejects.toThrow(
      "was not ready within 300 ms",
    );
  });

  test("that is killed there ends with what it said last", async () => {
    const started = await session.start('echo $$; exec sh -c "echo oh >&2; sleep 0.2; exit 5"', [], { signal: never });
    expect(await started.ended).toEqual({ exitCode: 5, signal: undefined, lost: undefined, stderr: "oh\n" });
  });
});

test("ovault sends beats as long as a command runs", async () => {
  // With a long silence, so that the only timers that fire are those of beats.
  const pool = await ChannelPool.open({ ...session.server, timeoutMs: 3_600_000 }, never);
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  onTestFinished(() => void vi.useRealTimers());
  onTestFinished(() => pool.close());
  let received = "";
  const command = await RemoteProcess.start(
    pool,
    { line: "cat", preamble: "begin" },
    { use: "long", signal: never, onOutput: (_stream, bytes) => (received += bytes.toString()) },
  );
  vi.advanceTimersByTime(3 * BEAT_MS);
  await until("the beats are back", () => received === `begin${BEAT.repeat(3)}`);
  await command.stop();
  vi.advanceTimersByTime(3 * BEAT_MS);
  expect(received).toBe(`begin${BEAT.repeat(3)}`);
});

describe("a server", () => {
  test("that allows one session runs commands one after the other, also beside one that lives on", async () => {
    const narrow = await openSession(await startServer({ config: ["MaxSessions 1"] }));
    const order = await Promise.all(
      ["a", "b", "c"].map(async (word) => (await narrow.run('sleep 0.1; echo "$1"', [word], { signal: never })).stdout),
    );
    expect(order).toEqual(["a\n", "b\n", "c\n"]);
    const started = await narrow.start("echo up; sleep 1000", [], { signal: never });
    const more = await narrow.start("echo up; sleep 1000", [], { signal: never });
    expect((await narrow.run("echo beside", [], { signal: never })).stdout).toBe("beside\n");
    await Promise.all([started.close(), more.close()]);
  });

  test("that allows none says so", async () => {
    const closed = await openSession(await startServer({ config: ["MaxSessions 0"] }));
    await expect(closed.run("true", [], { signal: never })).rejects.toMatchObject({
      code: "E_SSH",
      message: expect.stringContaining("runs no command for"),
    });
  });

  test("with a forced command does not run scripts, and says so", async () => {
    const forced = await openSession(await startServer({ config: ["ForceCommand echo only this"] }));
    await expect(forced.run("true", [], { signal: never })).rejects.toMatchObject({
      code: "E_SSH",
      message: expect.stringContaining("did not run /bin/sh: it ended with exit code 0 (only this)"),
    });
    await expect(forced.start("true", [], { signal: never })).rejects.toMatchObject({ code: "E_SSH" });
  });

  test("that exchanges keys again and again gives every byte", async () => {
    const rekeying = await openSession(await startServer({ config: ["RekeyLimit 64K"] }));
    const { stdout } = await rekeying.run("seq 1 300000", [], { signal: never, mostBytes: 4 * 1024 * 1024 });
    expect(stdout).toBe(Array.from({ length: 300_000 }, (_, index) => `${index + 1}\n`).join(""));
  });

  test("that goes down loses what runs; the next command finds it again", async () => {
    const rebooting = await startServer({});
    const on = await openSession(rebooting);
    const started = await on.start("echo up; sleep 1000", [], { signal: never });
    const running = on.run("sleep 1000", [], { signal: never });
    running.catch(() => undefined);
    await delay(200);
    await rebooting.kill();
    await expect(running).rejects.toMatchObject({ code: "E_SSH_UNAVAILABLE", retry: "transient" });
    expect((await started.ended).lost).toBeDefined();
    await expect(on.run("true", [], { signal: never })).rejects.toMatchObject({ code: "E_SSH_UNAVAILABLE" });
    await rebooting.start();
    expect((await on.run("echo back", [], { signal: never })).stdout).toBe("back\n");
  });

  test("that stalls without closing counts as lost after its longest silence", async () => {
    const stalling = await startServer({});
    const on = await openSession(stalling, { timeoutMs: 800 });
    const started = await on.start("echo up; sleep 1000", [], { signal: never });
    await stalling.suspend();
    expect((await started.ended).lost).toMatch(/keepalive timeout/i);
    await expect(on.run("true", [], { signal: never })).rejects.toMatchObject({ code: "E_SSH_UNAVAILABLE" });
    await stalling.resume();
  });
});

describe.skipIf(!(await canHaveOtherUsers()))("an account", () => {
  test("whose shell prints greetings to both outputs gives the outputs of the script alone", async () => {
    const noisy = await login("/bin/bash", { ".bashrc": "echo Welcome; echo Warning >&2; printf 'no end of line'\n" });
    expect(await printedBy(noisy)).toBe("Welcome\nno end of line");
    const { stdout, stderr } = await noisy.run("echo out; echo err >&2", [], { signal: never });
    expect({ stdout, stderr }).toEqual({ stdout: "out\n", stderr: "err\n" });
    expect((await noisy.start("echo ready; sleep 1000", [], { signal: never })).ready).toBe("ready");
  });

  test("behind a banner works", async () => {
    const directory = await server.newDirectory();
    const banner = join(directory, "banner");
    await writeFile(banner, "AUTHORISED USE ONLY\n".repeat(100));
    const own = await openSession(await startServer({ config: [`Banner ${banner}`] }));
    expect((await own.run("echo in", [], { signal: never })).stdout).toBe("in\n");
  });

  test("whose shell reads the standard input does not run half of a script", async () => {
    const greedy = await login("/bin/bash", { ".bashrc": "read line; read line\n" });
    await expect(greedy.run("echo half", [], { signal: never, deadlineMs: 2_000 })).rejects.toMatchObject({
      code: expect.stringMatching(/^E_SSH/),
    });
  });

  test("without a login is named", async () => {
    const closed = await login("/usr/sbin/nologin");
    await expect(closed.run("true", [], { signal: never })).rejects.toMatchObject({
      code: "E_SSH",
      message: expect.stringContaining("This account is currently not available"),
    });
  });
});

/** Standard output of a command that prints nothing. */
async function printedBy(noisy: SshSession): Promise<string> {
  const printed: Buffer[] = [];
  await noisy.followLine("true", {
    signal: never,
    drainMs: 1_000,
    onOutput: (stream, bytes) => stream === "stdout" && printed.push(bytes),
  });
  return Buffer.concat(printed).toString();
}

async function gone(directory: string): Promise<void> {
  const pid = Number(await readFile(join(directory, "pid"), "utf8"));
  await until("the process is gone", () => !isAlive(pid));
}

/** A session of a user with this login shell, and these files in the home directory. */
async function login(shell: string, files: Readonly<Record<string, string>> = {}): Promise<SshSession> {
  const home = await server.newDirectory();
  await chmod(home, 0o755);
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(home, name)), { recursive: true });
    await writeFile(join(home, name), text);
  }
  return await openSession(await startServer({ otherUser: { shell, home } }));
}
