import { execFile } from "node:child_process";
import { promisify } from "node:util";

import { CIPHERS, HOST_KEY_ALGORITHMS } from "../algorithms.ts";
import { keyType } from "../host-key.ts";
import type { SshServer } from "../ssh-server.ts";

/** The first release with all of the options below (IdentityAgent); EL7 has 7.4. */
const OLDEST = 7.3;

/** The server's name in a file of known hosts of our own. */
export const KNOWN_AS = "ovault";

export interface OpenSshTunnel {
  readonly server: SshServer;
  /** The one key that the server may prove itself with. */
  readonly hostKey: Buffer;
  /** Holds `known_hosts`, and `socket` from the log-in on. For a `key`: `key.pub`, and the socket `agent` that signs. */
  readonly directory: string;
  readonly remoteSocket: string;
  /** An `agent` is at SSH_AUTH_SOCK, and all of its keys are tried. */
  readonly signer: "key" | "agent";
}

/** Why the ssh command of this machine cannot be used; undefined when it can. */
export async function openSshProblem(): Promise<string | undefined> {
  try {
    const { stderr } = await promisify(execFile)("ssh", ["-V"]);
    const version = Number(/^OpenSSH_(\d+\.\d+)/.exec(stderr)?.[1]);
    return version >= OLDEST ? undefined : `ssh is no OpenSSH ${OLDEST} or newer`;
  } catch {
    return "there is no ssh command";
  }
}

/**
 * The ssh command that forwards a local socket to one of the server. Reads no configuration, asks nothing, and trusts
 * no key but the given one. Paths are plain: see GuardedDirectory and `openTunnel`.
 */
export function openSshCommand({ server, hostKey, directory, remoteSocket, signer }: OpenSshTunnel): readonly string[] {
  const { host, port, user, timeoutMs } = server;
  const aliveSeconds = Math.max(1, Math.round(timeoutMs / 4_000));
  const options = {
    BatchMode: "yes",
    StrictHostKeyChecking: "yes",
    UserKnownHostsFile: `${directory}/known_hosts`,
    GlobalKnownHostsFile: "/dev/null",
    HostKeyAlias: KNOWN_AS,
    HostKeyAlgorithms: HOST_KEY_ALGORITHMS.get(keyType(hostKey))?.join(",") ?? keyType(hostKey),
    UpdateHostKeys: "no",
    PreferredAuthentications: "publickey",
    ...(signer === "key"
      ? { IdentityAgent: `${directory}/agent`, IdentityFile: `${directory}/key.pub`, IdentitiesOnly: "yes" }
      : { IdentityAgent: "SSH_AUTH_SOCK", IdentityFile: "none" }),
    Ciphers: CIPHERS.join(","),
    Compression: "no",
    ControlPath: "none",
    ForwardAgent: "no",
    ForwardX11: "no",
    ExitOnForwardFailure: "yes",
    StreamLocalBindMask: "0177",
    ConnectTimeout: `${Math.max(1, Math.round(timeoutMs / 1_000))}`,
    ServerAliveInterval: `${aliveSeconds}`,
    ServerAliveCountMax: "3",
  };
  const chosen = Object.entries(options).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
  const forward = `${directory}/socket:${remoteSocket}`;
  return ["ssh", "-F", "/dev/null", "-N", "-T", ...chosen, "-L", forward, "-p", `${port}`, "-l", user, "--", host];
}
