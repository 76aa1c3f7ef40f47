import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";

import { describe, expect, onTestFinished, test } from "vitest";

import { type Carrier, connectSsh, openTunnel, sshServer, SshSession } from "@ovault/ssh";
import { run } from "@ovault/test-support/commands";
import { newKey, type OpenSshServer } from "@ovault/test-support/open-ssh-server";
import { temporaryDirectory } from "@ovault/test-support/temporary-directory";

import { CIPHERS } from "../src/algorithms.ts";
import { openSshCommand } from "../src/tunnel/openssh-command.ts";
import { askReverser, startReverser } from "./support/reverser.ts";
import { startServer } from "./support/bench.ts";

const signal = new AbortController().signal;

/** What OpenSSH 7.4 of EL7 has, as its crypto policy and hardening guides leave it. */
const EL7 = [
  "KexAlgorithms diffie-hellman-group-exchange-sha256",
  "Ciphers aes128-ctr,aes192-ctr,aes256-ctr",
  "MACs hmac-sha2-256,hmac-sha2-512",
  "HostKeyAlgorithms rsa-sha2-512,rsa-sha2-256",
  "PubkeyAcceptedAlgorithms rsa-sha2-256,rsa-sha2-512",
];

/** The server's settings, with a key of this type that it lets in. */
async function sessionWith(server: OpenSshServer, type: "rsa" | "ecdsa" | "ed25519"): Promise<SshSession> {
  const file = join(await temporaryDirectory(), "key");
  await newKey(file, type, "open sesame");
  await run("sh", ["-c", 'cat "$1" >> "$2"', "sh", `${file}.pub`, join(server.home, "authorized_keys")]);
  const authentication = { by: "key", key: await readFile(file, "utf8"), passphrase: "open sesame" } as const;
  const settings = { ...(await server.settings()), authentication };
  const session = await SshSession.open(await sshServer(settings, 30_000), signal);
  onTestFinished(() => session.close());
  return session;
}

describe.each<Carrier>(["openssh", "ssh2"])("a tunnel by %s", (carrier) => {
  test("works with the algorithms of EL7", async () => {
    const server = await startServer({ hostKeys: ["rsa"], config: EL7 });
    const session = await sessionWith(server, "rsa");
    expect((await session.run("echo in", [], { signal })).stdout).toBe("in\n");
    const tunnel = await openTunnel(session, await startReverser(server), { signal, carriers: [carrier] });
    expect(await askReverser(tunnel.address.path, Buffer.from("abc"))).toEqual(Buffer.from("cba"));
    await tunnel.close();
  });

  test.each(["ed25519", "ecdsa", "rsa"] as const)(
    "logs in with a key of type %s that has a passphrase",
    async (type) => {
      const server = await startServer({});
      const session = await sessionWith(server, type);
      const tunnel = await openTunnel(session, await startReverser(server), { signal, carriers: [carrier] });
      expect(await askReverser(tunnel.address.path, Buffer.from("abc"))).toEqual(Buffer.from("cba"));
      await tunnel.close();
    },
  );
});

describe("chacha20 is offered last", () => {
  const last = "chacha20-poly1305@openssh.com";

  test("by ssh2", async () => {
    const peer = await startListener();
    const settings = {
      host: "127.0.0.1",
      port: peer.port,
      user: "a",
      authentication: { by: "password", password: "" },
    };
    const trust = { fingerprint: "SHA256:" };
    const server = await sshServer({ ...settings, trust } as Parameters<typeof sshServer>[0], 30_000);
    const connecting = connectSsh(server, signal).catch(() => undefined);
    expect(await peer.ciphers).toEqual(CIPHERS);
    expect(CIPHERS.at(-1)).toBe(last);
    await connecting;
  });

  test("by OpenSSH", async () => {
    const server = await startServer({});
    const peer = await startListener();
    const [program = "", ...args] = openSshCommand({
      server: { ...(await sshServer(await server.settings(), 30_000)), port: peer.port },
      hostKey: Buffer.from(
        (await readFile(join(server.home, "host-ed25519.pub"), "utf8")).split(" ")[1] ?? "",
        "base64",
      ),
      directory: server.home,
      remoteSocket: "/nowhere",
      signer: "key",
    });
    const failing = run(program, args).catch(() => undefined);
    expect((await peer.ciphers).at(0)).toMatch(/^aes.*gcm/);
    expect((await peer.ciphers).at(-1)).toBe(last);
    await failing;
  });
});

test.each([
  ["KexAlgorithms diffie-hellman-group14-sha1", "diffie-hellman-group* with SHA-2"],
  ["Ciphers aes128-cbc", "aes128-gcm@openssh.com"],
  ["MACs hmac-md5", "hmac-sha2-256"],
])("a server with only %s is told apart: the error says what ovault can do", async (line, capability) => {
  const old = await startServer({ config: [line, ...(line.startsWith("MACs") ? ["Ciphers aes128-ctr"] : [])] });
  await expect(SshSession.open(await sshServer(await old.settings(), 30_000), signal)).rejects.toMatchObject({
    code: "E_SSH",
    hint: expect.stringContaining(capability),
  });
});

/** Reads the ciphers that a client offers, and hangs up. */
async function startListener(): Promise<{ port: number; ciphers: Promise<readonly string[]> }> {
  const { promise: ciphers, resolve } = Promise.withResolvers<readonly string[]>();
  const listener = createServer((socket: Socket) => {
    let received: Buffer = Buffer.alloc(0);
    socket.write("SSH-2.0-test\r\n");
    socket.on("error", () => undefined);
    socket.on("data", (bytes) => {
      received = Buffer.concat([received, bytes as Buffer]);
      const packet = received.subarray(received.indexOf("\n") + 1);
      if (packet.length < 5 || packet.length < 4 + packet.readUInt32BE(0)) return;
      // RFC 4253, 7.1: message number, cookie, then lists of names; the third has the ciphers.
      const lists = namesIn(packet.subarray(6 + 16));
      resolve(lists[2] ?? []);
      socket.destroy();
    });
  });
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  onTestFinished(() => void listener.close());
  const address = listener.address();
  return { port: typeof address === "object" && address !== null ? address.port : 0, ciphers };
}

function namesIn(lists: Buffer): readonly (readonly string[])[] {
  const found: string[][] = [];
  for (let at = 0; found.length < 3;) {
    const end = at + 4 + lists.readUInt32BE(at);
    found.push(lists.toString("latin1", at + 4, end).split(","));
    at = end;
  }
  return found;
}
