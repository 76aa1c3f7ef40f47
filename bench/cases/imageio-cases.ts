import { spawn, execFile, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import type { Case, Contender } from "../case.ts";
import { smallImage } from "../images.ts";
import { product } from "../product.ts";
import type { ServedLab } from "../serve-lab.ts";
import { serveImage } from "../serve-image.ts";
import { workDirectory } from "../work-directory.ts";

const run = promisify(execFile);
const server = fileURLToPath(new URL("../serve-lab.ts", import.meta.url));
const reader = fileURLToPath(new URL("../workers/read-imageio.ts", import.meta.url));
const copy = join(workDirectory, "imageio-copy.qcow2");

interface Served extends ServedLab {
  readonly directory: string;
  /** The same image by qemu-nbd, without TLS. */
  readonly nbdUri: string;
  readonly close: () => Promise<void>;
}

/** A full backup of a disk over TLS, beside copies of the same image over NBD without. */
async function backupCase(): Promise<Case> {
  const name = "imageio-full";
  const { configuration, directory, nbdUri, close } = await serve(name);
  const repository = join(directory, "lab", "repository");
  const installed = await product();
  const ovault = (...command: readonly string[]): readonly string[] =>
    installed.command(...command, "--config", configuration);
  const prepare = async (): Promise<void> => {
    await rm(repository, { recursive: true, force: true });
    const [program = "", ...rest] = ovault("destination", "init");
    await run(program, rest);
  };
  const options = ["--full", "--strategy", "changed-block-tracking", "--json"];
  const convert = ["qemu-img", "convert", "-f", "raw", "-O", "qcow2", nbdUri, copy];
  const removed = (): Promise<void> => rm(copy, { force: true });
  return {
    name,
    ours: { name: "ovault, imageio over TLS", prepare, command: () => ovault("backup", "web01", ...options) },
    others: [{ name: "qemu-img, NBD without TLS", prepare: removed, command: () => convert }],
    close: async () => {
      await removed();
      await close();
    },
  };
}

/** Our client alone, which discards the data, beside others that do. */
async function readCase(): Promise<Case> {
  const name = "imageio-read";
  const { url, caFile, bytes, nbdUri, close } = await serve(name);
  // Reading every byte would end the transfer.
  const range = `0-${bytes - 2}`;
  const curl = ["curl", "--silent", "--fail", "--cacert", caFile, "--range", range, "--output", "/dev/null", url];
  return {
    name,
    ours: contender("our client, TLS", process.execPath, reader, url, caFile, String(bytes)),
    others: [
      contender("curl, TLS, the whole disk with its zeros", ...curl),
      contender("nbdcopy, NBD without TLS", "nbdcopy", nbdUri, "null:"),
    ],
    close,
  };
}

function contender(name: string, ...command: readonly string[]): Contender {
  return { name, command: () => command };
}

/** The lab is a separate process, whose CPU is not counted. */
async function serve(name: string): Promise<Served> {
  const directory = join(workDirectory, name);
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true });
  const image = await smallImage();
  const nbd = await serveImage(image, "raw");
  const qcow2 = join(directory, "disk.qcow2");
  await run("qemu-img", ["convert", "-f", "raw", "-O", "qcow2", image, qcow2]);
  const lab = spawn(process.execPath, [server, join(directory, "lab"), qcow2], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const close = async (): Promise<void> => {
    await stop(lab);
    await nbd.close();
    await rm(directory, { recursive: true, force: true });
  };
  try {
    const line = await createInterface(lab.stdout)[Symbol.asyncIterator]().next();
    if (line.done === true) throw new Error("the lab did not start");
    return { ...(JSON.parse(line.value) as ServedLab), directory, nbdUri: nbd.uri, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const closed = once(child, "close");
  child.kill("SIGTERM");
  await closed;
}

export const imageioCases: Readonly<Record<string, () => Promise<Case>>> = {
  "imageio-full": backupCase,
  "imageio-read": readCase,
};
