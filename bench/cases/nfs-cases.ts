import { once } from "node:events";
import { rename, mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { NetworkNamespace } from "@ovault/test-support/network-namespace";

import type { Case, Contender } from "../case.ts";
import { incompressibleImage } from "../images.ts";
import { workDirectory } from "../work-directory.ts";

const worker = fileURLToPath(new URL("../workers/serve-nfs.ts", import.meta.url));
const [KIB, MIB, GIB] = [2 ** 10, 2 ** 20, 2 ** 30];
const READERS = 8;

interface Load {
  readonly count: number;
  readonly bytes: number;
  /** From one request to the next; requests go round in the file. */
  readonly step: number;
  readonly depth: number;
  readonly isWrite?: boolean;
  /** Flush after each write. */
  readonly isSynced?: boolean;
}

const IN_ORDER = { count: GIB / MIB, bytes: MIB, step: MIB, depth: 8 };
/** Far from each other, and in each round of the file at other places. */
const AT_RANDOM = { bytes: 4 * KIB, step: 37 * MIB + 4 * KIB, depth: 1 };
const LOADS: Readonly<Record<string, Load>> = {
  "nfs-read": IN_ORDER,
  "nfs-write": { ...IN_ORDER, isWrite: true },
  "nfs-random-read": { ...AT_RANDOM, count: 20_000 },
  "nfs-random-sync": { ...AT_RANDOM, count: 2_000, isWrite: true, isSynced: true },
};

/** QEMU's client of NFS, in a network of its own where the usual ports are free, beside QEMU on the file. */
async function nfsCase(name: string, load: Load, readers = 0): Promise<Case> {
  const directory = join(workDirectory, "nfs");
  await mkdir(directory, { recursive: true });
  const file = join(directory, "image.raw");
  await rename(await incompressibleImage(), file);
  const network = await NetworkNamespace.create();
  const server = network.spawn(process.execPath, [worker, directory]);
  await once(server.stdout, "data");
  const remote = "nfs://127.0.0.1/bench/image.raw";
  const reading = Array.from({ length: readers }, () => {
    const [program, ...args] = benchmark(remote, { ...IN_ORDER, count: 1_000_000_000 });
    return network.spawn(program, args);
  });
  for (const reader of reading) reader.stdout.resume();
  const [program, ...args] = benchmark(remote, load);
  return {
    name,
    ...(load.bytes === MIB && { dataBytes: GIB }),
    ours: contender(readers === 0 ? "over NFS" : `over NFS, beside ${readers} readers`, network.command(program, args)),
    others: [contender("the file itself", benchmark(file, load))],
    close: async () => {
      for (const child of [...reading, server]) {
        child.kill("SIGKILL");
        if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
      }
      await network[Symbol.asyncDispose]();
      await rm(directory, { recursive: true });
    },
  };
}

function contender(name: string, command: readonly string[]): Contender {
  return { name, needs: "qemu-img", command: () => command };
}

function benchmark(
  image: string,
  { count, bytes, step, depth, isWrite, isSynced }: Load,
): readonly [string, ...string[]] {
  const options = [`-c${count}`, `-s${bytes}`, `-S${step}`, `-d${depth}`, ...(isWrite === true ? ["-w"] : [])];
  return ["qemu-img", "bench", "-f", "raw", ...options, ...(isSynced === true ? ["--flush-interval=1"] : []), image];
}

export const nfsCases: Readonly<Record<string, () => Promise<Case>>> = {
  ...Object.fromEntries(Object.entries(LOADS).map(([name, load]) => [name, () => nfsCase(name, load)])),
  // What sanlock does, while machines are moved.
  "nfs-beside-readers": () =>
    nfsCase("nfs-beside-readers", { ...AT_RANDOM, count: 100, isWrite: true, isSynced: true }, READERS),
};
