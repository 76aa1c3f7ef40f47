import { execFile, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { chmod, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { execPath } from "node:process";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { afterAll, describe, expect, onTestFinished, test, vi } from "vitest";

import { type Carrier, openTunnel, sshServer, SshSession } from "@ovault/ssh";
import { run } from "@ovault/test-support/commands";
import { OpenSshServer } from "@ovault/test-support/open-ssh-server";
import { freePort, listensOn } from "@ovault/test-support/free-port";
import { startAgent } from "@ovault/test-support/ssh-agent";
import { canHaveOtherUsers, OTHER_USER } from "@ovault/test-support/throw-away-user";
import { until } from "@ovault/test-support/until";

import { openOpenSshTunnel } from "../src/tunnel/openssh-tunnel.ts";
import { isAlive, openSession, startServer } from "./support/bench.ts";
import { askReverser, startReverser } from "./support/reverser.ts";

const signal = new AbortController().signal;
const server = await OpenSshServer.start();
afterAll(() => server.stop());
const session = await openSession(server);
const otherUsers = await canHaveOtherUsers();
afterAll(() => session.close());

const CARRIERS: readonly Carrier[] = ["openssh", "ssh2", "bridge"];

describe.each(CARRIERS)("a tunnel by %s", (carrier) => {
  const options = { signal, carriers: [carrier] };

  test("carries any number of connections, in both directions, to their ends", async () => {
    const tunnel = await openTunnel(session, await startReverser(server), options);
    const sent = Array.from({ length: 8 }, (_, index) => randomBytes(index * 300_000));
    const received = await Promise.all(sent.map((bytes) => askReverser(tunnel.address.path, bytes)));
    expect(received.map(digest)).toEqual(sent.map((bytes) => digest(Uint8Array.from(bytes).toReversed())));
    await tunnel.close();
    expect(existsSync(dirname(tunnel.address.path))).toBe(false);
  });

  test("ends with its connections when it is closed", async () => {
    const tunnel = await openTunnel(session, await startReverser(server), options);
    const socket = connect(tunnel.address.path);
    await once(socket, "connect");
    socket.on("error", () => undefined);
    const closed = new Promise((resolve) => socket.once("close", resolve));
    await tunnel.close();
    await closed;
    expect(await tunnel.ended).toBe("ovault ended it");
  });

  test("ends when the server goes, and leaves nothing here", async () => {
    const rebooting = await startServer({});
    await using on = await openSession(rebooting);
    const tunnel = await openTunnel(on, await startReverser(rebooting), options);
    await rebooting.kill();
    expect(await tunnel.ended).not.toBe("");
    await until("the directory is gone", () => !existsSync(dirname(tunnel.address.path)));
  });

  test("ends when the server stalls without closing", async () => {
    const stalling = await startServer({});
    await using on = await openSession(stalling, { timeoutMs: 4_000 });
    const tunnel = await openTunnel(on, await startReverser(stalling), options);
    await stalling.suspend();
    expect(await tunnel.ended).toMatch(/keepalive timeout|not responding/i);
    await stalling.resume();
    await until("the directory is gone", () => !existsSync(dirname(tunnel.address.path)));
  });

  test("carries every byte while the server exchanges keys again and again", async () => {
    const rekeying = await startServer({ config: ["RekeyLimit 1M"] });
    await using on = await openSession(rekeying);
    const tunnel = await openTunnel(on, await startReverser(rekeying), options);
    const sent = Array.from({ length: 3 }, () => randomBytes(2_000_000));
    const received = await Promise.all(sent.map((bytes) => askReverser(tunnel.address.path, bytes)));
    expect(received.map(digest)).toEqual(sent.map((bytes) => digest(Uint8Array.from(bytes).toReversed())));
    await tunnel.close();
  });

  test("goes when ovault is killed, with all its processes here and there", async () => {
    const holder = fileURLToPath(new URL("support/tunnel-holder.ts", import.meta.url));
    const args = [server.home, `${server.port}`, server.user, await startReverser(server), carrier];
    const process = spawn(execPath, [holder, ...args], { stdio: ["ignore", "pipe", "inherit"] });
    const [line] = (await once(process.stdout, "data")) as [Buffer];
    const { path, remotePid } = JSON.parse(line.toString()) as { path: string; remotePid: number };
    expect(await askReverser(path, Buffer.from("abc"))).toEqual(Buffer.from("cba"));
    expect([isAlive(remotePid), await processesWith(dirname(path))]).not.toContainEqual([]);
    process.kill("SIGKILL");
    await until("all is gone", async () => {
      const left = await processesWith(dirname(path));
      return left.length === 0 && !existsSync(dirname(path)) && !isAlive(remotePid);
    });
  });

  test("has a directory that the next tunnel removes, when its guard is killed as well", async () => {
    const holder = fileURLToPath(new URL("support/tunnel-holder.ts", import.meta.url));
    const args = [server.home, `${server.port}`, server.user, await startReverser(server), carrier];
    const process = spawn(execPath, [holder, ...args], { stdio: ["ignore", "pipe", "inherit"] });
    const [line] = (await once(process.stdout, "data")) as [Buffer];
    const directory = dirname((JSON.parse(line.toString()) as { path: string }).path);
    const guards = (await processesWith(directory)).filter((command) => command.includes("ovault-guard"));
    expect(guards).not.toEqual([]);
    const ended = once(process, "exit");
    for (const guard of guards) globalThis.process.kill(Number.parseInt(guard, 10), "SIGKILL");
    process.kill("SIGKILL");
    await ended;
    expect(existsSync(directory)).toBe(true);
    const next = await openTunnel(session, await startReverser(server), options);
    expect(existsSync(directory)).toBe(false);
    expect(existsSync(next.address.path)).toBe(true);
    await next.close();
    for (const rest of await processesWith(directory)) globalThis.process.kill(Number.parseInt(rest, 10), "SIGKILL");
  });

  test("does not begin when the signal is aborted, and leaves nothing", async () => {
    const before = await directories();
    const socket = await startReverser(server);
    const openFor = async (delayMs: number): Promise<unknown> => {
      const stop = new AbortController();
      const opening = openTunnel(session, socket, { ...options, signal: stop.signal });
      const ending = opening.then(
        (tunnel) => tunnel.close(),
        (error: unknown) => error,
      );
      await delay(delayMs);
      stop.abort(new Error("cancelled"));
      return await ending;
    };
    let failure = await openFor(0);
    expect(failure).toEqual(new Error("cancelled"));
    // Until it is too late for an abort.
    for (let delayMs = 1; failure !== undefined; delayMs *= 2) {
      failure = await openFor(delayMs);
      expect([undefined, new Error("cancelled")]).toContainEqual(failure);
    }
    await until("nothing is left", async () => (await directories()).length <= before.length);
  });

  test("to a socket that is not there is an error", async () => {
    await expect(openTunnel(session, "/nonexistent/socket", options)).rejects.toMatchObject({
      code: "E_SSH_TUNNEL",
      message: expect.stringContaining("/nonexistent/socket"),
    });
  });
});

describe("the way that a tunnel takes", () => {
  test("is the ssh command where there is one, and ssh2 where there is none", async () => {
    const socket = await startReverser(server);
    expect(await carrierOf(session, socket)).toBe("OpenSSH");
    vi.stubEnv("PATH", await directoryWith("mkdir", "rm"));
    onTestFinished(() => void vi.unstubAllEnvs());
    const tunnel = await openTunnel(session, socket, { signal });
    expect(tunnel).toMatchObject({ carrier: "ssh2", reason: expect.stringContaining("there is no ssh command") });
    await tunnel.close();
    expect(await carrierOf(session, socket)).toBe("ssh2");
  });

  test("is the same for many at once, though sshd lets only three log in at a time", async () => {
    const port = await freePort();
    const config = join(server.home, "narrow_config");
    const lines = await readFile(join(server.home, "sshd_config"), "utf8");
    // Of this keyword, the last value counts.
    await writeFile(config, `${lines}MaxStartups 3:100:3\n`);
    const daemon = spawn("/usr/sbin/sshd", ["-D", "-p", `${port}`, "-f", config], { stdio: "ignore" });
    onTestFinished(() => void daemon.kill());
    await until("sshd listens", () => listensOn(port));
    const settings = { ...(await server.settings()), port, trust: { fingerprint: await server.fingerprint() } };
    await using on = await SshSession.open(await sshServer(settings, 30_000), signal);
    const socket = await startReverser(server);
    const carriers = await Promise.all(Array.from({ length: 12 }, () => carrierOf(on, socket)));
    expect(carriers).toEqual(Array(12).fill("OpenSSH"));
  });

  test("is never the ssh command to a server with another key than the one that was verified", async () => {
    const other = await startServer({});
    const key = (await readFile(join(other.home, "host-ed25519.pub"), "utf8")).split(" ")[1] ?? "";
    const wish = { server: session.server, hostKey: Buffer.from(key, "base64"), remoteSocket: "/nowhere" };
    await expect(openOpenSshTunnel(wish, signal)).rejects.toMatchObject({
      code: "E_SSH_TUNNEL",
      message: expect.stringContaining("Host key verification failed"),
    });
  });

  test("is the ssh command with an agent's keys", async () => {
    const agent = await startAgent(join(server.home, "user"));
    const settings = { ...(await server.settings()), authentication: { by: "agent", socket: agent } as const };
    await using on = await SshSession.open(await sshServer(settings, 30_000), signal);
    expect(await carrierOf(on, await startReverser(server))).toBe("OpenSSH");
  });

  test.skipIf(!otherUsers)("is ssh2 with a password", async () => {
    const other = await startServer({ otherUser: true });
    const authentication = { by: "password", password: OTHER_USER.password } as const;
    const settings = { ...(await other.settings()), authentication };
    await using on = await SshSession.open(await sshServer(settings, 30_000), signal);
    expect(await carrierOf(on, await startReverser(other))).toBe("ssh2");
  });

  test.each([
    ["AllowStreamLocalForwarding no", ""],
    ["DisableForwarding yes", ""],
    ["AllowStreamLocalForwarding no", "MaxSessions 1"],
  ])("is a command on the server where sshd_config has %s, %s", async (...config) => {
    await using on = await openSession(await startServer({ config }));
    expect(await carrierOf(on, await startReverser(server))).toBe("ssh2 and python3 on the server");
  });

  test.skipIf(!otherUsers).each(["socat", "nc"])("works on a server that has only %s", async (tool) => {
    const { on, socket } = await serverWithTools(tool, "dd");
    expect(await carrierOf(on, socket)).toBe(`ssh2 and ${tool} on the server`);
  });

  test.skipIf(!otherUsers)("is missing on a server that forwards nothing and has no tool", async () => {
    const { on, socket } = await serverWithTools("dd");
    await expect(openTunnel(on, socket, { signal })).rejects.toMatchObject({
      code: "E_SSH_TUNNEL",
      message: expect.stringContaining("there is no python, socat or nc"),
      hint: expect.stringContaining("AllowStreamLocalForwarding"),
    });
  });

  test("does not begin with a path that ssh would read as something else", async () => {
    for (const path of ["relative", "/a:b", "/a b", "/%h", "/${HOME}", "/a,b", ""]) {
      await expect(openTunnel(session, path, { signal })).rejects.toThrow("not a plain path");
    }
  });
});

/** The carrier of a tunnel that works. */
async function carrierOf(on: SshSession, socket: string): Promise<string> {
  const tunnel = await openTunnel(on, socket, { signal });
  const sent = randomBytes(300_000);
  const received = await Promise.all([1, 2, 3].map(() => askReverser(tunnel.address.path, sent)));
  expect(received.map(digest)).toEqual(Array(3).fill(digest(Uint8Array.from(sent).toReversed())));
  await tunnel.close();
  return tunnel.carrier;
}

/** A session at a server that forwards nothing and finds no other programs than these. */
async function serverWithTools(...programs: readonly string[]): Promise<{ on: SshSession; socket: string }> {
  const config = ["AllowStreamLocalForwarding no", `SetEnv PATH=${await directoryWith(...programs)}`];
  const narrow = await startServer({ config, otherUser: true });
  const on = await openSession(narrow);
  onTestFinished(() => on.close());
  return { on, socket: await startReverser(narrow) };
}

async function directoryWith(...programs: readonly string[]): Promise<string> {
  const directory = await server.newDirectory();
  await chmod(directory, 0o755);
  for (const name of programs) await symlink(await which(name), join(directory, name));
  return directory;
}

async function which(program: string): Promise<string> {
  return (await run("sh", ["-c", 'command -v "$1"', "sh", program])).trim();
}

/** Processes that have this text in their command line. */
async function processesWith(text: string): Promise<readonly string[]> {
  const { stdout } = await promisify(execFile)("ps", ["-eo", "pid=,args="]);
  return stdout.split("\n").filter((line) => line.includes(text));
}

async function directories(): Promise<readonly string[]> {
  return (await readdir(tmpdir())).filter((name) => name.startsWith("ovault-ssh-"));
}

function digest(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
