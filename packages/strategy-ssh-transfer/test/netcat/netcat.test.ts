import { spawn } from "node:child_process";
import { randomBytes, randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { afterAll, beforeAll, expect, test } from "vitest";

import { FileLedger } from "@ovault/core";
import { freePort, listensOn } from "@ovault/test-support/free-port";
import { OpenSshServer } from "@ovault/test-support/open-ssh-server";
import { until } from "@ovault/test-support/until";
import { diskOf } from "@ovault/testkit";

import { NetcatError } from "../../src/errors.ts";
import { proveNetcat } from "../../src/netcat/prove-netcat.ts";
import { ServedDiskSource } from "../../src/reading/served-disk-source.ts";
import { openHypervisor, serveDisk, type DiskToServe } from "./serve-disk.ts";

const MiB = 2 ** 20;
const { signal } = new AbortController();
const content = randomBytes(3 * MiB + 512);
let server: OpenSshServer;
let directory: string;
let image: string;

beforeAll(async () => {
  server = await OpenSshServer.start();
  directory = await mkdtemp(join(tmpdir(), "ovault-netcat-"));
  image = join(directory, `disk-${randomUUID()}.raw`);
  await writeFile(image, content);
});

afterAll(async () => {
  await server.stop();
  await rm(directory, { recursive: true });
});

/** With a range of ports that no other test has. */
async function diskToServe(): Promise<DiskToServe> {
  const first = await freePort();
  return {
    settings: await server.settings(),
    ledgerDirectory: await mkdtemp(join(directory, "ledger-")),
    image,
    netcat: { trustedNetwork: true, ports: { first, last: first + 9 } },
  };
}

/** Command lines of processes that serve the disk, or let a client through to it. */
async function processesOf(text: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
    const line = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
    if (line.includes(text)) found.push(line.replaceAll("\0", " "));
  }
  return found;
}

async function entriesOf(ledgerDirectory: string): Promise<readonly string[]> {
  const { active, abandoned } = await (await FileLedger.open(ledgerDirectory)).report();
  return [...active, ...abandoned].map(({ title }) => title);
}

test("a disk is read through a port of the host, in the ledger, and nothing is left of it", async () => {
  const wanted = await diskToServe();
  const { first } = wanted.netcat.ports;
  {
    await using disk = await serveDisk(wanted);
    expect(disk.warnings).toEqual([]);
    expect(disk.served.carrier).toBe("netcat");
    const parts = { disk: diskOf(content.length), mode: "full", reason: "", served: disk.served } as const;
    expect(new ServedDiskSource({ ...parts, baseBytes: undefined }).carrier).toBe("netcat");
    expect(await entriesOf(wanted.ledgerDirectory)).toEqual([
      "process on host kvm1: serves disk web_Disk1",
      "process on host kvm1: port for disk web_Disk1",
    ]);
    const seen = Buffer.alloc(content.length);
    await disk.served.use((client) => client.readInto(0, seen, signal), signal);
    expect(seen.equals(content)).toBe(true);
    expect(await listensOn(first)).toBe(false);
  }
  expect(await entriesOf(wanted.ledgerDirectory)).toEqual([]);
  expect(await processesOf(image)).toEqual([]);
  expect(await processesOf(` ${first} `)).toEqual([]);
});

test("no secret of it is in a command line, an environment or the ledger", async () => {
  const wanted = await diskToServe();
  let sent = Buffer.alloc(0);
  const write = net.Socket.prototype.write;
  net.Socket.prototype.write = function (this: net.Socket, ...args: Parameters<typeof write>) {
    const [bytes] = args;
    if (this.remotePort === wanted.netcat.ports.first && sent.length === 0) sent = Buffer.from(bytes as Uint8Array);
    return write.apply(this, args);
  } as typeof write;
  try {
    await using _disk = await serveDisk(wanted);
    expect(sent).toHaveLength(32);
    const files = (await readdir("/proc"))
      .filter((name) => /^\d+$/.test(name))
      .flatMap((pid) => [`/proc/${pid}/cmdline`, `/proc/${pid}/environ`]);
    const ledger = (await readdir(wanted.ledgerDirectory)).map((name) => join(wanted.ledgerDirectory, name));
    const texts = await Promise.all([...files, ...ledger].map((file) => readFile(file).catch(() => Buffer.alloc(0))));
    expect(texts.length).toBeGreaterThan(10);
    for (const text of texts) {
      expect(text.includes(sent) || text.includes(sent.toString("hex")) || text.includes(sent.toString("base64"))).toBe(
        false,
      );
    }
  } finally {
    net.Socket.prototype.write = write;
  }
});

test("ports that are taken are passed over", async () => {
  const wanted = await diskToServe();
  const { first } = wanted.netcat.ports;
  await using other = net.createServer().listen(first, "127.0.0.1");
  await once(other, "listening");
  await using disk = await serveDisk(wanted);
  expect(disk.served.carrier).toBe("netcat");
});

test("when no port can be opened, or none is reached, the disk is read through SSH, and a warning says why", async () => {
  const wanted = await diskToServe();
  const { first } = wanted.netcat.ports;
  await using other = net.createServer().listen(first, "127.0.0.1");
  await once(other, "listening");
  const full = { ...wanted, netcat: { ...wanted.netcat, ports: { first, last: first } } };
  const elsewhere = { ...wanted, netcat: { ...wanted.netcat, network: "198.51.100.0/24" } };
  for (const [unable, why] of [
    [full, `no free port from ${first} to ${first}`],
    [elsewhere, "no address in 198.51.100.0/24"],
  ] as const) {
    await using disk = await serveDisk(unable);
    expect(disk.served.carrier).not.toBe("netcat");
    expect(disk.warnings).toEqual([expect.stringContaining(why)]);
    expect(disk.warnings[0]).toMatch(
      /^host kvm1 opens no port for netcat: .*; the data of disk web_Disk1 goes through SSH$/,
    );
    const seen = Buffer.alloc(content.length);
    await disk.served.use((client) => client.readInto(0, seen, signal), signal);
    expect(seen.equals(content)).toBe(true);
    expect(await entriesOf(wanted.ledgerDirectory)).toEqual(["process on host kvm1: serves disk web_Disk1"]);
  }
});

test("kill -9 of ovault leaves no process, no port and no directory on the host", async () => {
  const wanted = await diskToServe();
  const program = fileURLToPath(new URL("serve-disk-process.ts", import.meta.url));
  const child = spawn(process.execPath, [program], { stdio: ["pipe", "pipe", "inherit"] });
  child.stdin.end(JSON.stringify(wanted));
  expect(String((await once(child.stdout, "data"))[0])).toBe("[]\n");
  const [serving = ""] = await processesOf(image);
  const ours = /ovault-[0-9a-f-]{36}/.exec(serving)?.[0] ?? "";
  expect(ours).not.toBe("");
  expect((await processesOf(ours)).some((line) => line.includes("python"))).toBe(true);
  child.kill("SIGKILL");
  await until("nothing is left", async () => (await processesOf(ours)).length === 0);
  await until("no directory is left", async () => {
    const places = ["/run/user/0", "/run/vdsm", "/run", "/tmp"];
    const names = await Promise.all(places.map((place) => readdir(place).catch((): string[] => [])));
    return !names.flat().includes(ours);
  });
  expect(await entriesOf(wanted.ledgerDirectory)).toHaveLength(2);
});

test("a port is proved without data, and leaves nothing", async () => {
  const { settings, netcat } = await diskToServe();
  const hypervisor = await openHypervisor(settings);
  try {
    const name = `ovault-${randomUUID()}`;
    const { first } = netcat.ports;
    expect(await proveNetcat(hypervisor, { name, options: netcat }, signal)).toBe(`127.0.0.1:${first}`);
    expect(await processesOf(name)).toEqual([]);
    expect(await listensOn(first)).toBe(false);
    const options = { ...netcat, network: "198.51.100.0/24" };
    await expect(proveNetcat(hypervisor, { name, options }, signal)).rejects.toBeInstanceOf(NetcatError);
  } finally {
    await hypervisor.session.close();
  }
});
