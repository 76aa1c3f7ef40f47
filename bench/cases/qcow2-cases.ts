import { execFile } from "node:child_process";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import type { Case, Contender } from "../case.ts";
import { smallImage, warm } from "../images.ts";
import { serveImage } from "../serve-image.ts";
import { workDirectory } from "../work-directory.ts";

const run = promisify(execFile);
const worker = fileURLToPath(new URL("../workers/copy-disk.ts", import.meta.url));
const target = join(workDirectory, "copy.raw");
const CLUSTER_BYTES = 65_536;
/** Share of the disk that each of the two upper layers rewrites. */
const FRACTION = 0.05;

/** A chain of three layers into a raw file with holes: our reader beside QEMU, read directly and over NBD. */
export const qcow2Cases: Readonly<Record<string, () => Promise<Case>>> = {
  "qcow2-reader": () => qcow2Case("qcow2-reader", false),
  "qcow2-reader-compressed": () => qcow2Case("qcow2-reader-compressed", true),
};

async function qcow2Case(name: string, compressed: boolean): Promise<Case> {
  const chain = await makeChain(name, compressed);
  const [top = ""] = chain;
  const { uri, close } = await serveImage(top, "qcow2");
  const contender = (title: string, ...command: readonly string[]): Contender => ({
    name: title,
    prepare: () => rm(target, { force: true }),
    command: () => command,
  });
  return {
    name,
    ours: contender("ovault", process.execPath, worker, chain.join(","), target),
    others: [
      contender("qemu-img", "qemu-img", "convert", "-f", "qcow2", "-O", "raw", top, target),
      contender("qemu-nbd and our client", process.execPath, worker, uri, target),
      contender("qemu-nbd and nbdcopy", "nbdcopy", uri, target),
    ],
    close: async () => {
      await close();
      await Promise.all([...chain, target].map((path) => rm(path, { force: true })));
    },
  };
}

/** The newest first. */
async function makeChain(name: string, compressed: boolean): Promise<readonly string[]> {
  const image = await smallImage();
  const [base, middle, top] = ["base", "middle", "top"].map((layer) => join(workDirectory, `${name}-${layer}.qcow2`));
  if (base === undefined || middle === undefined || top === undefined) throw new RangeError("three layers");
  await Promise.all([base, middle, top].map((path) => rm(path, { force: true })));
  await run("qemu-img", ["convert", ...(compressed ? ["-c"] : []), "-f", "raw", "-O", "qcow2", image, base]);
  await putOn(base, middle, 1);
  await putOn(middle, top, 2);
  for (const path of [base, middle, top]) await warm(path);
  return [top, middle, base];
}

/** A layer with clusters at pseudo-random places, the same every time. */
async function putOn(below: string, path: string, seed: number): Promise<void> {
  await run("qemu-img", ["create", "-q", "-f", "qcow2", "-b", below, "-F", "qcow2", path]);
  const { stdout } = await run("qemu-img", ["info", "--output", "json", path]);
  const clusters = Math.floor((JSON.parse(stdout) as { "virtual-size": number })["virtual-size"] / CLUSTER_BYTES);
  const writes: string[] = [];
  let state = seed;
  for (let count = 0; count < clusters * FRACTION; count += 1) {
    state = (state * 48_271) % 0x7fffffff;
    writes.push("-c", `write -q -P ${1 + (count % 255)} ${(state % clusters) * CLUSTER_BYTES} ${CLUSTER_BYTES}`);
  }
  await run("qemu-io", ["-f", "qcow2", ...writes, path]);
}
