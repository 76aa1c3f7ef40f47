import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { afterAll, describe, expect, onTestFinished, test } from "vitest";

import { freePort } from "@ovault/test-support/free-port";
import { OpenSshServer, type ServerOptions } from "@ovault/test-support/open-ssh-server";
import { until } from "@ovault/test-support/until";
import { isAlive } from "@ovault/test-support/is-alive";

import { HOSTILE_NAME, run, withTimeToBegin } from "./support/bench.ts";

const server = await OpenSshServer.start();
afterAll(() => server.stop());

/** How a policy names this server; its key and its known hosts lie where ovault.yaml does. */
function on({ port, user }: OpenSshServer = server): object {
  return { host: "127.0.0.1", port, user, privateKey: "user", knownHosts: "known_hosts" };
}

async function startServer(options: ServerOptions): Promise<OpenSshServer> {
  const own = await OpenSshServer.start(options);
  onTestFinished(() => own.stop());
  return own;
}

/** Ends lines with a mark, for a name may hold line breaks of its own. */
const SHOW = `printf '%s|' "$OVAULT_VM" "$OVAULT_VM_ID" "$OVAULT_RUN" "$OVAULT_PHASE" "$PLAIN" > `;
const SHOWN = `${HOSTILE_NAME.replace("\0", "")}|vm-1|run-1|before|it's|`;

describe("a command in the guest", () => {
  test("knows what it is for, whatever the machine is called", async () => {
    const directory = await server.newDirectory();
    const command = { run: `${SHOW}${directory}/seen`, shell: true, ssh: on(), environment: { PLAIN: "it's" } };
    const phases = await run(command, { directory: server.home });
    expect(await readFile(join(directory, "seen"), "utf8")).toBe(SHOWN);
    expect(phases).toEqual(["before snapshot: printf: starts on 127.0.0.1"]);
    expect(existsSync("/tmp/ovault-pwned")).toBe(false);
  });

  test("gets its arguments as they are, and its output is reported", async () => {
    const words = ["$HOME", "a b", "it's", "; exit 7", "*"];
    const phases = await run(
      { name: "words", run: ["printf", "%s\n", ...words], ssh: on() },
      { directory: server.home },
    );
    expect(phases.slice(1)).toEqual(words.map((word) => `before snapshot: words: ${word}`));
  });

  test("has its environment by requests alone where the server accepts them, also with secrets and a forced command", async () => {
    const directory = await server.newDirectory();
    const script = join(directory, "forced");
    await writeFile(
      script,
      `#!/bin/sh\n${SHOW}${directory}/seen\nprintf '%s' "$SSH_ORIGINAL_COMMAND" > ${directory}/asked\n`,
      {
        mode: 0o700,
      },
    );
    const accepting = await startServer({ config: ["AcceptEnv OVAULT_* PLAIN", `ForceCommand ${script}`] });
    process.env["OVAULT_TEST_SECRET"] = "it's";
    onTestFinished(() => {
      delete process.env["OVAULT_TEST_SECRET"];
    });
    const environment = { PLAIN: { env: "OVAULT_TEST_SECRET" } };
    const ssh = { ...on(accepting), acceptsEnvironment: true };
    await run({ run: ["snapshot"], ssh, environment }, { directory: accepting.home });
    expect(await readFile(join(directory, "seen"), "utf8")).toBe(SHOWN);
    expect(await readFile(join(directory, "asked"), "utf8")).toBe("'snapshot'");
  });

  test("may leave something running on purpose, also with its output", async () => {
    const directory = await server.newDirectory();
    const command = {
      name: "leave",
      run: `sleep 1000 & echo $! > ${directory}/child; echo left`,
      shell: true,
      ssh: on(),
    };
    const phases = await run(command, { directory: server.home });
    expect(phases.at(-1)).toBe("before snapshot: leave: left");
    process.kill(Number(await readFile(join(directory, "child"), "utf8")));
  });

  test("that fails is reported with its code and last words", async () => {
    const failing = { name: "dump", run: "echo cannot >&2; exit 3", shell: true, ssh: on() };
    await expect(run(failing, { directory: server.home })).rejects.toMatchObject({
      code: "E_COMMAND",
      message: "the command dump before the snapshot failed: it ended with exit code 3 (cannot)",
    });
  });

  test("that takes too long is ended there, with all that it started", async () => {
    const directory = await server.newDirectory();
    const child = join(directory, "child");
    const slow = { name: "slow", run: `sleep 1000 & echo $! > ${child}; echo begun; wait`, shell: true, ssh: on() };
    const failure = await withTimeToBegin(
      () => existsSync(child),
      (timeoutSeconds) => run({ ...slow, timeoutSeconds }, { directory: server.home }).catch((error: unknown) => error),
    );
    expect(failure).toMatchObject({
      message: expect.stringMatching(/it took longer than \d+ s, and was ended \(begun\)/),
    });
    const pid = Number(await readFile(child, "utf8"));
    await until("the child is gone", () => !isAlive(pid));
  });

  test("is ended when the run is cancelled, and that is the reason it gives", async () => {
    const directory = await server.newDirectory();
    const cancelling = new AbortController();
    const command = { run: `echo $$ > ${directory}/pid; sleep 1000`, shell: true, ssh: on() };
    const running = run(command, { directory: server.home, signal: cancelling.signal });
    const pid = async (): Promise<number> => Number(await readFile(join(directory, "pid"), "utf8").catch(() => ""));
    await until("it runs", async () => (await pid()) > 0);
    cancelling.abort(new Error("cancelled"));
    await expect(running).rejects.toThrow("cancelled");
    const started = await pid();
    await until("it is gone", () => !isAlive(started));
  });
});

describe("a guest is not spoken to", () => {
  test("whose key is unknown: nothing runs, and the error names the next step", async () => {
    const directory = await server.newDirectory();
    const ssh = { ...on(), knownHosts: "absent" };
    const command = { run: ["touch", join(directory, "ran")], ssh };
    await expect(run(command, { directory: server.home })).rejects.toMatchObject({
      code: "E_COMMAND",
      message: expect.stringContaining("cannot tell whether this is"),
      hint: expect.stringContaining("ssh-keyscan"),
    });
    expect(existsSync(join(directory, "ran"))).toBe(false);
  });

  test("that does not let us in", async () => {
    const ssh = { ...on(), user: "ovault-nobody" };
    await expect(run({ run: ["true"], ssh }, { directory: server.home })).rejects.toMatchObject({
      code: "E_COMMAND",
      message: expect.stringContaining("does not let ovault-nobody in"),
    });
  });

  test("that is not there", async () => {
    const ssh = { ...on(), port: await freePort() };
    await expect(run({ run: ["true"], ssh }, { directory: server.home })).rejects.toThrow("cannot connect");
  });

  test("that vanishes while the command runs: its outcome is unknown", async () => {
    const directory = await server.newDirectory();
    const command = { run: `touch ${directory}/ran; kill -9 $(ps -o ppid= $PPID); sleep 1000`, shell: true, ssh: on() };
    await expect(run(command, { directory: server.home })).rejects.toThrow("it is unknown how it ended");
    expect(existsSync(join(directory, "ran"))).toBe(true);
  });
});
