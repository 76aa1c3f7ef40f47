import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { freePort, listensOn } from "@ovault/test-support/free-port";
import { OpenSshServer } from "@ovault/test-support/open-ssh-server";
import { until } from "@ovault/test-support/until";

import type { Contender } from "./case.ts";
import type { HostToRead } from "./workers/read-host.ts";

const reader = fileURLToPath(new URL("workers/read-host.ts", import.meta.url));

/** An OpenSSH server with a disk, and qemu-nbd at a unix socket and a port for the contenders that do not start it. */
export class SshHost {
  readonly #server: OpenSshServer;
  readonly #image: string;
  readonly #file: string;
  readonly #socket: string;
  readonly #port: number;
  readonly #stopServing: () => Promise<void>;

  private constructor(server: OpenSshServer, image: string, served: Served) {
    this.#server = server;
    this.#image = image;
    this.#file = join(server.home, "host.json");
    this.#socket = served.socket;
    this.#port = served.port;
    this.#stopServing = served.stop;
  }

  /** @param config further lines of sshd_config */
  static async start(image: string, config: readonly string[] = []): Promise<SshHost> {
    const server = await OpenSshServer.start({ config });
    const host = new SshHost(server, image, await serve(image, server.home));
    const told: HostToRead = { settings: await server.settings(), image };
    await writeFile(host.#file, JSON.stringify(told), { mode: 0o600 });
    return host;
  }

  /** ovault's reading, without what it does with the data. */
  reader(name: string, way: string, connections: number): Contender {
    return { name, command: () => [process.execPath, reader, this.#file, way, String(connections)] };
  }

  /** What a pipe carries at best. */
  pipe(name: string, ...options: readonly string[]): Contender {
    const command = ["dd", `if=${this.#image}`, "bs=1M", "iflag=direct"];
    return { name, command: () => shell('"$@" > /dev/null', ...this.#ssh(options, ...command)) };
  }

  /** nbdcopy through a tunnel that it waits for and ends. */
  forwarded(name: string, connections: number, ...options: readonly string[]): Contender {
    const local = join(this.#server.home, "local.sock");
    const script = `
      rm -f "$1"; local=$1 connections=$2; shift 2
      "$@" & ssh=$!
      until [ -S "$local" ]; do sleep 0.02; done
      nbdcopy --connections="$connections" "nbd+unix:///?socket=$local" null:
      kill $ssh; wait $ssh; true`;
    const ssh = this.#ssh(["-N", "-L", `${local}:${this.#socket}`, ...options]);
    return { name, needs: "nbdcopy", command: () => shell(script, local, String(connections), ...ssh) };
  }

  plain(name: string, connections: number): Contender {
    const uri = `nbd://127.0.0.1:${this.#port}`;
    return { name, needs: "nbdcopy", command: () => ["nbdcopy", `--connections=${connections}`, uri, "null:"] };
  }

  async stop(): Promise<void> {
    await this.#stopServing();
    await this.#server.stop();
  }

  #ssh(options: readonly string[], ...command: readonly string[]): readonly string[] {
    const { home, port, user } = this.#server;
    const trusting = ["-i", join(home, "user"), "-o", `UserKnownHostsFile=${join(home, "known_hosts")}`];
    return ["ssh", "-F", "none", ...trusting, "-p", String(port), ...options, `${user}@127.0.0.1`, ...command];
  }
}

interface Served {
  readonly socket: string;
  readonly port: number;
  readonly stop: () => Promise<void>;
}

/** Two servers, because one has either a socket or a port. */
async function serve(image: string, directory: string): Promise<Served> {
  const socket = join(directory, "nbd.sock");
  const port = await freePort();
  const shared = ["-r", "-t", "-e", "8", "-f", "raw", "--cache=none"];
  const servers = [
    ["-k", socket],
    ["-b", "127.0.0.1", "-p", String(port)],
  ].map((where) => spawn("qemu-nbd", [...shared, ...where, image], { stdio: "inherit" }));
  const kill = (): void => servers.forEach((server) => void server.kill());
  process.once("exit", kill);
  await until("qemu-nbd listens", async () => existsSync(socket) && (await listensOn(port)));
  return {
    socket,
    port,
    stop: async () => {
      const ended = servers.map((server) => once(server, "exit"));
      kill();
      await Promise.all(ended);
      process.off("exit", kill);
    },
  };
}

function shell(script: string, ...args: readonly string[]): readonly string[] {
  return ["sh", "-c", script, "sh", ...args];
}
