import { spawn, type ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";

import { HypervisorError } from "../hypervisor/errors.ts";
import { hostNetworkProgram } from "./host-network-program.ts";

/** Networks by their addresses, which no two share. */
const networks = new Map<string, HostNetwork>();
let addresses = 0;

/** Words before a command with these arguments: where one is a URL of a host's network, the command runs there. */
export function networkOf(args: readonly string[]): readonly string[] {
  for (const arg of args) {
    const [, address = ""] = /nfs:\/\/([\d.]+)\//.exec(arg) ?? [];
    const network = networks.get(address);
    if (network !== undefined) return network.command;
  }
  return [];
}

const NAMESPACE_ROOT = ["--net"];
const NAMESPACE_USER = ["--user", "--map-root-user", "--net"];

/**
 * A network in which QEMU's NFS driver finds servers at the usual ports, which it cannot be told otherwise: a network
 * namespace (of a user namespace, when this process is not root's) with an address for each export. Where the kernel
 * has an NFS client, a host would mount in its place.
 */
export class HostNetwork {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #lines: AsyncIterator<string>;
  #last: Promise<unknown> = Promise.resolve();

  /** @throws HypervisorError where this user may not make network namespaces */
  static async open(): Promise<HostNetwork> {
    const namespace = process.getuid?.() === 0 ? NAMESPACE_ROOT : NAMESPACE_USER;
    const env = { ...process.env, PATH: `/usr/bin:${process.env["PATH"] ?? ""}` };
    const args = [...namespace, "python3", "-c", hostNetworkProgram]; // it ends with its standard input
    const child = spawn("unshare", args, { env, stdio: ["pipe", "pipe", "pipe"], detached: true });
    const stderr: string[] = [];
    child.stderr.setEncoding("utf8").on("data", (text: string) => stderr.push(text));
    child.stdin.on("error", () => {});
    const failed = new Promise<never>((_, reject) => {
      child.once("error", (cause) => reject(cannotOpen(String(cause))));
      child.once("close", () => reject(cannotOpen(stderr.join("").trim())));
    });
    failed.catch(() => undefined);
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
    await Promise.race([lines.next(), failed]);
    return new HostNetwork(child, lines);
  }

  private constructor(child: ChildProcessByStdio<Writable, Readable, Readable>, lines: AsyncIterator<string>) {
    this.#child = child;
    this.#lines = lines;
  }

  /** Serves NFS and its portmapper on an address of its own, which it answers with; what comes goes to a unix socket. */
  async serve(socket: string): Promise<string> {
    addresses += 1;
    const address = `127.1.${Math.floor(addresses / 250)}.${(addresses % 250) + 1}`;
    networks.set(address, this);
    const served = this.#last.then(async () => {
      this.#child.stdin.write(`${JSON.stringify({ address, socket })}\n`);
      const { done } = await this.#lines.next();
      if (done === true) throw cannotOpen("it has ended");
    });
    this.#last = served.catch(() => {});
    await served;
    return address;
  }

  /** Words before a command that runs it in this network. */
  get command(): readonly string[] {
    const target = ["nsenter", "--target", String(this.#child.pid), "--net"];
    return process.getuid?.() === 0 ? target : [...target, "--user", "--preserve-credentials"];
  }

  async close(): Promise<void> {
    for (const [address, network] of networks) if (network === this) networks.delete(address);
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill("SIGKILL");
    await once(this.#child, "exit");
  }
}

function cannotOpen(reason: string): HypervisorError {
  return new HypervisorError(`a host of the lab cannot mount NFS exports: ${reason}`, {
    hint: "The lab needs network namespaces, util-linux, python3 and QEMU's NFS driver (Debian: qemu-block-extra).",
  });
}
