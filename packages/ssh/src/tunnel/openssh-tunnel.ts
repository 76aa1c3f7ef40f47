import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import type { ParsedKey } from "ssh2";

import { messageOf } from "@ovault/contract";

import { TunnelError } from "../errors.ts";
import { keyType } from "../host-key.ts";
import type { SshServer } from "../ssh-server.ts";
import { GuardedDirectory } from "./guarded-directory.ts";
import { serveKey } from "./key-agent.ts";
import { KNOWN_AS, openSshCommand, openSshProblem } from "./openssh-command.ts";
import type { Tunnel } from "./tunnel.ts";

const POLL_MS = 20;

interface TunnelWish {
  readonly server: SshServer;
  /** The key that the server has just proved itself with. */
  readonly hostKey: Buffer;
  readonly remoteSocket: string;
}

/** What logs the ssh command in: a key that an agent of ours holds, or the user's agent. */
type Signer = { readonly key: ParsedKey } | { readonly agent: string };

/**
 * The system's ssh command carries the data, apart from this process and faster than ssh2 could. Private keys stay in
 * this process, which is the agent that signs for the log-in.
 * @throws TunnelError when there is no OpenSSH, a password is the only way to log in, or ssh does not get through
 */
export async function openOpenSshTunnel(wish: TunnelWish, signal: AbortSignal): Promise<Tunnel> {
  const signer = signerOf(wish.server);
  const problem = signer === undefined ? "it logs in with keys alone, not with a password" : await openSshProblem();
  if (signer === undefined || problem !== undefined) throw new TunnelError(`the ssh command is not used: ${problem}`);
  const directory = await GuardedDirectory.make(
    (path) => openSshCommand({ ...wish, directory: path, signer: "key" in signer ? "key" : "agent" }),
    "agent" in signer ? { SSH_AUTH_SOCK: signer.agent } : {},
  );
  const path = join(directory.path, "socket");
  try {
    await logIn(directory, wish, signer, signal);
  } catch (error) {
    await directory.close();
    signal.throwIfAborted();
    if (error instanceof TunnelError) throw error;
    throw new TunnelError(`the ssh command cannot be prepared: ${messageOf(error)}`, { cause: error });
  }
  let isClosed = false;
  return {
    address: { path },
    carrier: "OpenSSH",
    ended: directory.ended.then((words) => (isClosed ? "ovault ended it" : `ssh has ended: ${words}`)),
    close: async () => {
      isClosed = true;
      await directory.close();
    },
  };
}

/** Starts the command, and waits until it serves the socket. */
async function logIn(
  directory: GuardedDirectory,
  wish: TunnelWish,
  signer: Signer,
  signal: AbortSignal,
): Promise<void> {
  const { hostKey, server } = wish;
  const knownHost = `${KNOWN_AS} ${keyType(hostKey)} ${hostKey.toString("base64")}\n`;
  await writeFile(join(directory.path, "known_hosts"), knownHost);
  let agent: { close(): void } | undefined;
  if ("key" in signer) {
    const publicKey = signer.key.getPublicSSH();
    await writeFile(join(directory.path, "key.pub"), `${keyType(publicKey)} ${publicKey.toString("base64")}\n`);
    agent = await serveKey(signer.key, join(directory.path, "agent"));
  }
  try {
    directory.start();
    const deadline = Date.now() + server.timeoutMs;
    let words: string | undefined;
    void directory.ended.then((last) => (words = last));
    while (!existsSync(join(directory.path, "socket"))) {
      if (words !== undefined) throw new TunnelError(`ssh does not get through to ${server.host}: ${words}`);
      if (Date.now() > deadline) throw new TunnelError(`ssh did not log in at ${server.host} in time`);
      await delay(POLL_MS, undefined, { signal });
    }
  } finally {
    agent?.close();
  }
}

function signerOf({ login }: SshServer): Signer | undefined {
  const [method] = login;
  if (method?.type === "publickey" && typeof method.key === "object" && "getPublicSSH" in method.key) {
    return { key: method.key };
  }
  return method?.type === "agent" && typeof method.agent === "string" ? { agent: method.agent } : undefined;
}
