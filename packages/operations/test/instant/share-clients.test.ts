import { type ChildProcess, type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";

import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { run } from "@ovault/test-support/commands";
import { NetworkNamespace } from "@ovault/test-support/network-namespace";
import { until } from "@ovault/test-support/until";

import { ShareSite } from "./support/share-site.ts";

/** Scripts of `sh` that succeed where these are. QEMU says which drivers it lacks. */
const NEEDS = {
  "network namespaces for root": "unshare -n ip link",
  "nfs-ls": "command -v nfs-ls",
  "qemu-system-x86_64": "command -v qemu-system-x86_64",
  "QEMU's nfs driver": "! qemu-img info nfs://127.0.0.1:1/none 2>&1 | grep -q 'Unknown protocol'",
};
const missing: string[] = [];
for (const [name, script] of Object.entries(NEEDS)) await run("sh", ["-c", script]).catch(() => missing.push(name));
if (missing.length > 0) process.stderr.write(`SKIPPED, no clients of NFS: this machine lacks ${missing.join(", ")}\n`);

const [RAW, COW] = [0, 1].map((disk) => `nfs://127.0.0.1/ovault/web01/volume-${disk}`) as [string, string];
const WRITES = ["write -P 7 1000 3000", "write -f -P 8 1M 64k", "write -z 1200k 300k", "write -P 9 256k 512k", "flush"];

describe.skipIf(missing.length > 0)("real clients", { timeout: 120_000 }, () => {
  let network: NetworkNamespace;
  let site: ShareSite;

  beforeEach(async () => {
    network = await NetworkNamespace.create();
    site = await ShareSite.make({ network });
  });
  afterEach(async () => {
    await site[Symbol.asyncDispose]();
    await network[Symbol.asyncDispose]();
  });

  async function expectIdentical(raw: string, image: string, format: "raw" | "qcow2"): Promise<void> {
    expect(await network.run("qemu-img", ["compare", "-f", "raw", "-F", format, raw, image])).toContain("identical");
  }

  /** The same to the disk and to a copy of it. */
  async function write(disk: 0 | 1, image: string, format: "raw" | "qcow2"): Promise<string> {
    const copy = join(site.directory, `written-${disk}.raw`);
    await copyFile(site.raw(disk), copy);
    const commands = WRITES.flatMap((command) => ["-c", command]);
    await network.run("qemu-io", ["-f", format, ...commands, image]);
    await run("qemu-io", ["-f", "raw", ...commands, copy]);
    return copy;
  }

  test("QEMU reads and writes raw disks and QCOW2 disks, byte for byte, also after a restart", async () => {
    const before = await site.listing();
    await site.start();
    expect(await network.run("nfs-ls", ["nfs://127.0.0.1/ovault/web01"])).toContain("volume-1");
    await expectIdentical(site.raw(0), RAW, "raw");
    await expectIdentical(site.raw(1), COW, "qcow2");
    expect(await network.run("qemu-img", ["check", "-f", "qcow2", COW])).toContain("No errors were found");
    const map = JSON.parse(await network.run("qemu-img", ["map", "-f", "qcow2", "--output=json", COW])) as readonly {
      readonly zero: boolean;
    }[];
    expect(map.slice(0, 3).map(({ zero }) => zero)).toEqual([false, true, false]);
    const raw = await write(0, RAW, "raw");
    const cow = await write(1, COW, "qcow2");
    await site.end("SIGKILL");
    await site.start();
    await expectIdentical(raw, RAW, "raw");
    await expectIdentical(cow, COW, "qcow2");
    expect(await network.run("qemu-img", ["check", "-f", "qcow2", COW])).toContain("No errors were found");
    expect(await site.listing()).toEqual(before);
  });

  test("a snapshot of QEMU lies over a disk, and a QCOW2 disk becomes larger", async () => {
    await site.start();
    const cow = await write(1, COW, "qcow2");
    const snapshot = "nfs://127.0.0.1/ovault/web01/snapshot";
    await network.run("qemu-img", ["create", "-q", "-f", "qcow2", "-b", COW, "-F", "qcow2", snapshot]);
    await network.run("qemu-io", ["-f", "qcow2", "-c", "write -P 3 600k 200k", snapshot]);
    await run("qemu-io", ["-f", "raw", "-c", "write -P 3 600k 200k", cow]);
    await expectIdentical(cow, snapshot, "qcow2");
    await network.run("qemu-img", ["resize", "-q", "-f", "qcow2", COW, "64M"]);
    await network.run("qemu-io", ["-f", "qcow2", "-c", "write -P 4 40M 1M", COW]);
    expect(await network.run("qemu-img", ["check", "-f", "qcow2", COW])).toContain("No errors were found");
  });

  test("a QEMU that has a disk open writes on while the share is killed and started again", async () => {
    await site.start();
    const copy = join(site.directory, "written.raw");
    await copyFile(site.raw(0), copy);
    await using qemu = await HeldDisk.open(network, RAW, join(site.directory, "qmp"));
    const io: string[] = [];
    const rounds = { areOver: false };
    const writing = (async () => {
      while (!rounds.areOver) {
        const command = `write -f -P ${1 + (io.length % 200)} ${(io.length * 37) % 10_000}k 100k`;
        // It fails where QEMU has had an error.
        expect(await qemu.io(command)).toMatch(/^wrote 102400/);
        io.push(command);
      }
    })();
    for (let round = 0; round < 3; round += 1) {
      await until("it writes", () => io.length > 5 * round + 5);
      await delay(round * 7);
      await site.end("SIGKILL");
      await delay(300);
      await site.start();
    }
    rounds.areOver = true;
    await writing;
    await run("qemu-io", ["-f", "raw", ...io.flatMap((command) => ["-c", command]), copy]);
    await expectIdentical(copy, RAW, "raw");
  });
});

/** A QEMU without a running guest that has a disk open, and writes to it as its monitor is told. */
class HeldDisk implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #replies: AsyncIterator<string>;
  readonly #output: AsyncIterator<string>;
  readonly #monitor: Socket;

  static async open(network: NetworkNamespace, file: string, socket: string): Promise<HeldDisk> {
    const drive = `if=none,id=d0,file=${file},format=raw,cache=none`;
    const args = ["-S", "-nodefaults", "-display", "none", "-machine", "none", "-drive", drive];
    const [program, ...others] = network.command("qemu-system-x86_64", [
      ...args,
      "-qmp",
      `unix:${socket},server=on,wait=off`,
    ]);
    const child = spawn(program, others, { stdio: ["ignore", "pipe", "inherit"] });
    for (;;) {
      const monitor = connect(socket);
      try {
        await once(monitor, "connect");
        const held = new HeldDisk(child, monitor);
        await held.#execute("qmp_capabilities", {});
        return held;
      } catch {
        if (child.exitCode !== null) throw new Error("QEMU ended");
        await delay(50);
      }
    }
  }

  private constructor(child: ChildProcessByStdio<null, Readable, null>, monitor: Socket) {
    this.#process = child;
    this.#monitor = monitor;
    this.#replies = createInterface({ input: monitor })[Symbol.asyncIterator]();
    this.#output = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  /** Answers the first line of what it says. */
  async io(command: string): Promise<string> {
    await this.#execute("human-monitor-command", { "command-line": `qemu-io d0 "${command}"` });
    const line = String((await this.#output.next()).value);
    // How fast it was.
    if (line.startsWith("wrote")) await this.#output.next();
    return line;
  }

  async #execute(execute: string, args: object): Promise<void> {
    this.#monitor.write(`${JSON.stringify({ execute, arguments: args })}\n`);
    for (;;) {
      const { value, done } = await this.#replies.next();
      if (done === true) throw new Error("QEMU ended");
      if (String(value).includes('"return"') || String(value).includes('"error"')) return;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#monitor.destroy();
    this.#process.kill("SIGKILL");
    if (this.#process.exitCode === null && this.#process.signalCode === null) await once(this.#process, "exit");
  }
}
