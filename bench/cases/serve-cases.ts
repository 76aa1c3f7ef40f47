import { spawn } from "node:child_process";
import { once } from "node:events";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { allocatedBytes } from "../allocated-bytes.ts";
import type { Case, Contender } from "../case.ts";
import { smallImage } from "../images.ts";
import { serveImage } from "../serve-image.ts";
import { Site } from "../site.ts";
import { workDirectory } from "../work-directory.ts";
import { measure } from "../measure.ts";

const MACHINE = "bench";
const MIB = 2 ** 20;
/** Of 4 KiB, one at a time, each far from the last one. */
const READS = { cold: 500, cached: 20_000 };
const STEP_BYTES = 37 * MIB + 4096;

/** What `ovault serve` is doing, until it is closed. */
interface Server {
  readonly uri: string;
  close(): Promise<void>;
}

async function startServer(site: Site, ...options: readonly string[]): Promise<Server> {
  const [program = "", ...args] = site.command("serve", `${MACHINE}@latest`, "--json", ...options);
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = (await once(createInterface({ input: child.stdout }), "line")) as [string];
  const { disks } = JSON.parse(line) as { readonly disks: readonly { readonly uri: string }[] };
  return {
    uri: disks[0]?.uri ?? "",
    close: async () => {
      child.kill();
      await once(child, "close");
    },
  };
}

async function siteWithPoint(name: string, image: string): Promise<Site> {
  const site = await Site.open(name, { machines: { [MACHINE]: [{ source: image }] } });
  await site.fresh();
  await site.run("backup", MACHINE);
  return site;
}

/** A copy of a served disk by QEMU, from the start of its client, beside a restore to a file. */
async function copyCase(): Promise<Case> {
  const image = await smallImage();
  const site = await siteWithPoint("serve-copy", image);
  const output = join(site.directory, "copied.raw");
  let server: Server | undefined;
  const tidy = async (): Promise<void> => {
    await server?.close();
    server = undefined;
    await rm(output, { force: true });
  };
  return {
    name: "serve-copy",
    dataBytes: await allocatedBytes(image),
    ours: {
      name: "qemu-img from ovault serve",
      needs: "qemu-img",
      // Each round has a server of its own, with an empty cache.
      prepare: async () => void (server = await startServer(site)),
      command: () => ["qemu-img", "convert", "-f", "raw", "-O", "raw", server?.uri ?? "", output],
      output,
      tidy,
    },
    others: [
      {
        name: "ovault restore --to-file",
        command: () => site.command("restore", `${MACHINE}@latest`, "--disk", "0", "--to-file", output),
        output,
        tidy,
      },
    ],
    close: () => site.remove(),
  };
}

/** Small reads one after the other, cold or cached, beside qemu-nbd on a QCOW2 file of the same content. */
async function randomCase(name: string, kind: "cold" | "cached"): Promise<Case> {
  const image = await smallImage();
  const site = await siteWithPoint(name, image);
  const qcow2 = join(workDirectory, `${name}.qcow2`);
  await measure(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", image, qcow2]);
  const load = ["-d1", "-s4096", `-S${STEP_BYTES}`, `-c${READS[kind]}`];
  const bench = (uri: string) => ["qemu-img", "bench", "-f", "raw", ...load, uri];
  const served = (title: string, start: () => Promise<Server>): Contender => {
    let server: Server | undefined;
    return {
      name: title,
      needs: "qemu-img",
      prepare: async () => {
        server = await start();
        if (kind === "cached") await measure(bench(server.uri));
      },
      command: () => bench(server?.uri ?? ""),
      tidy: async () => await server?.close(),
    };
  };
  return {
    name,
    ours: served("ovault serve", () => startServer(site, "--cache", "2G")),
    others: [served("qemu-nbd on a QCOW2 file", () => serveImage(qcow2, "qcow2"))],
    close: async () => {
      await site.remove();
      await rm(qcow2);
    },
  };
}

export const serveCases: Readonly<Record<string, () => Promise<Case>>> = {
  "serve-copy": copyCase,
  "serve-random-cold": () => randomCase("serve-random-cold", "cold"),
  "serve-random-cached": () => randomCase("serve-random-cached", "cached"),
};
