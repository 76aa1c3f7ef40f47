import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { parse, stringify } from "yaml";

import { allocatedBytes } from "../allocated-bytes.ts";
import type { Case, Contender } from "../case.ts";
import { incompressibleImage, smallImage } from "../images.ts";
import { product } from "../product.ts";
import type { ServedLab } from "../serve-lab.ts";
import { SshHost } from "../ssh-host.ts";
import { workDirectory } from "../work-directory.ts";

const run = promisify(execFile);
const server = fileURLToPath(new URL("../serve-lab.ts", import.meta.url));
const CHACHA = ["Ciphers chacha20-poly1305@openssh.com"];
const NETCAT = { trustedNetwork: true, ports: "20000-29999" };

/** How a backup reads a disk from its host, without what it does with the data, beside what people do by hand. */
async function readCase(): Promise<Case> {
  const image = await incompressibleImage();
  const hosts = [await SshHost.start(image), await SshHost.start(image, CHACHA)] as const;
  const [host, chacha] = hosts;
  return {
    name: "host-read",
    ours: host.reader("ovault, OpenSSH, 4 connections", "openssh", 4),
    others: [
      host.reader("ovault, OpenSSH, 1 connection", "openssh", 1),
      chacha.reader("ovault, OpenSSH, 4 connections, chacha20", "openssh", 4),
      host.reader("ovault, ssh2, 4 connections", "ssh2", 4),
      chacha.reader("ovault, ssh2, 4 connections, chacha20", "ssh2", 4),
      host.pipe("ssh … dd"),
      host.pipe("ssh … dd, AES-GCM", "-c", "aes128-gcm@openssh.com"),
      host.forwarded("nbdcopy over ssh -L, 4 connections", 4),
      host.forwarded("nbdcopy over ssh -L, 4 connections, AES-GCM", 4, "-c", "aes128-gcm@openssh.com"),
      host.reader("ovault, netcat", "netcat", 1),
      host.plain("nbdcopy to a port of qemu-nbd, 4 connections", 4),
      host.plain("nbdcopy to a port of qemu-nbd, 1 connection", 1),
    ],
    dataBytes: await allocatedBytes(image),
    close: async () => {
      for (const one of hosts) await one.stop();
      await rm(image);
    },
  };
}

/** Full backups of the same disk by every strategy that a lab has, the lab in a process of its own. */
async function fullCase(): Promise<Case> {
  const name = "host-full";
  const directory = join(workDirectory, name);
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true });
  const image = await smallImage();
  const qcow2 = join(directory, "disk.qcow2");
  await run("qemu-img", ["convert", "-f", "raw", "-O", "qcow2", image, qcow2]);
  const lab = spawn(process.execPath, [server, join(directory, "lab"), qcow2], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const line = await createInterface(lab.stdout)[Symbol.asyncIterator]().next();
  if (line.done === true) throw new Error("the lab did not start");
  const { configuration }: ServedLab = JSON.parse(line.value);
  const netcat = join(directory, "lab", "netcat.yaml");
  const { strategies, ...rest } = parse(await readFile(configuration, "utf8"));
  const overNetcat = { "ssh-transfer": { ...strategies["ssh-transfer"], netcat: NETCAT } };
  await writeFile(netcat, stringify({ ...rest, strategies: { ...strategies, ...overNetcat } }), { mode: 0o600 });
  const installed = await product();
  const repository = join(directory, "lab", "repository");
  const prepare = async (): Promise<void> => {
    await rm(repository, { recursive: true, force: true });
    const [program = "", ...args] = installed.command("destination", "init", "--config", configuration);
    await run(program, args);
  };
  const backup = (title: string, strategy: string, file = configuration): Contender => ({
    name: title,
    prepare,
    command: () => installed.command("backup", "web01", "--full", "--strategy", strategy, "--json", "--config", file),
  });
  return {
    name,
    ours: backup("ovault, over SSH", "ssh-transfer"),
    others: [
      backup("ovault, netcat", "ssh-transfer", netcat),
      backup("ovault, imageio, through a snapshot", "image-transfer"),
      backup("ovault, imageio, by the backup API", "changed-block-tracking"),
    ],
    dataBytes: await allocatedBytes(image),
    close: async () => {
      const closed = once(lab, "close");
      lab.kill("SIGTERM");
      await closed;
      await rm(directory, { recursive: true, force: true });
    },
  };
}

export const hostCases: Readonly<Record<string, () => Promise<Case>>> = {
  "host-read": readCase,
  "host-full": fullCase,
};
