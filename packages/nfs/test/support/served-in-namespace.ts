import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { run } from "@ovault/test-support/commands";
import { NetworkNamespace } from "@ovault/test-support/network-namespace";

const SCRIPT = fileURLToPath(new URL("serve.ts", import.meta.url));
const [NFS_PORT, PORTMAP_PORT] = ["2049", "111"];
/** Scripts of `sh` that succeed where these are. QEMU says which drivers it lacks. */
const NEEDS = {
  "network namespaces for root": "unshare -n ip link",
  "nfs-ls": "command -v nfs-ls",
  "QEMU's nfs driver": "! qemu-img info nfs://127.0.0.1:1/none 2>&1 | grep -q 'Unknown protocol'",
};

/** A temporary directory, served at the usual ports in a network of its own. */
export class ServedInNamespace implements AsyncDisposable {
  readonly directory: string;
  readonly network: NetworkNamespace;
  #server: ChildProcess | undefined;

  /** What tests with it need and this machine lacks. */
  static async missing(): Promise<readonly string[]> {
    const missing: string[] = [];
    for (const [name, script] of Object.entries(NEEDS)) {
      await run("sh", ["-c", script]).catch(() => missing.push(name));
    }
    return missing;
  }

  static async serve(): Promise<ServedInNamespace> {
    const served = new ServedInNamespace(await NetworkNamespace.create(), await mkdtemp(join(tmpdir(), "ovault-nfs-")));
    await served.#start();
    return served;
  }

  private constructor(network: NetworkNamespace, directory: string) {
    this.network = network;
    this.directory = directory;
  }

  /** SIGKILL, and a new one. */
  async restart(): Promise<void> {
    await this.#kill();
    await this.#start();
  }

  async #start(): Promise<void> {
    const server = this.network.spawn(process.execPath, [SCRIPT, this.directory, NFS_PORT, PORTMAP_PORT]);
    this.#server = server;
    await once(server.stdout, "data");
  }

  async #kill(): Promise<void> {
    const server = this.#server;
    if (server === undefined || server.exitCode !== null || server.signalCode !== null) return;
    server.kill("SIGKILL");
    await once(server, "exit");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#kill();
    await this.network[Symbol.asyncDispose]();
    await rm(this.directory, { recursive: true, force: true });
  }
}
