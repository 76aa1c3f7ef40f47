import { execFile } from "node:child_process";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { startLab, writeLabConfiguration, type Lab } from "@ovault/lab";

import type { Case } from "../case.ts";
import { workDirectory } from "../work-directory.ts";

const run = promisify(execFile);
const launcher = fileURLToPath(new URL("../../packages/cli/bin/ovault.js", import.meta.url));
const counter = new URL("../workers/engine-time.ts", import.meta.url).href;

const MACHINE = "web01";
const DISKS = ["0", "1"];
const DISK = "64M";
const WRITTEN_BYTES = 8 * 2 ** 20;
const CHANGED_BYTES = 2 ** 20;
/** A real engine polls its work about every 10 s, and needs two to four polls for most of it. */
const STEP_MS = 2500;

interface Way {
  readonly strategy: "changed-block-tracking" | "image-transfer" | "disk-attachment";
  readonly mode: "full" | "increment";
}

/**
 * One machine with two disks and hardly any data, in a lab as slow as a real engine: the rest is engine time. The
 * counter runs in ovault's own process, from the checkout: its requests do not depend on how it was built.
 */
async function engineCase({ strategy, mode }: Way): Promise<Case> {
  const name = `engine-${strategy}-${mode}`;
  const directory = join(workDirectory, name);
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true });
  const image = join(directory, "disk.qcow2");
  await run("qemu-img", ["create", "-q", "-f", "qcow2", image, DISK]);
  const lab = await startLab({
    directory: join(directory, "lab"),
    vms: [{ name: MACHINE, images: DISKS.map(() => image) }],
    proxy: strategy === "disk-attachment",
    delayMs: STEP_MS,
  });
  const close = async (): Promise<void> => {
    await lab.stop();
    await rm(directory, { recursive: true, force: true });
  };
  try {
    await guestWrites(lab, WRITTEN_BYTES, "first");
    const configuration = await configure(lab);
    const backup = (...options: readonly string[]): readonly string[] => [
      launcher,
      "backup",
      MACHINE,
      "--strategy",
      strategy,
      "--json",
      "--config",
      configuration,
      ...options,
    ];
    const keepBase = strategy === "image-transfer" ? ["--keep-base"] : [];
    const options = mode === "full" ? ["--full"] : keepBase;
    if (mode === "increment") await run(process.execPath, [...backup("--full", ...keepBase)]);
    let round = 0;
    const prepare = (): Promise<void> => guestWrites(lab, CHANGED_BYTES, String((round += 1)));
    const command = (): readonly string[] => [process.execPath, "--import", counter, ...backup(...options)];
    return { name, ours: { name: "ovault", prepare, command }, others: [], close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function guestWrites(lab: Lab, length: number, seed: string): Promise<void> {
  for (const disk of DISKS) await lab.write(MACHINE, disk, { kind: "random", seed: seed + disk, offset: 0, length });
}

/** Configures ovault with the polling interval for real engines. */
async function configure(lab: Lab): Promise<string> {
  const configuration = await writeLabConfiguration(lab);
  const text = await readFile(configuration, "utf8");
  await writeFile(configuration, text.replace(/^ +pollMs: .*\n/m, ""));
  await run(process.execPath, [launcher, "destination", "init", "--config", configuration]);
  return configuration;
}

export const engineCases: Readonly<Record<string, () => Promise<Case>>> = {
  "engine-changed-block-tracking-full": () => engineCase({ strategy: "changed-block-tracking", mode: "full" }),
  "engine-changed-block-tracking-increment": () =>
    engineCase({ strategy: "changed-block-tracking", mode: "increment" }),
  "engine-image-transfer-full": () => engineCase({ strategy: "image-transfer", mode: "full" }),
  "engine-image-transfer-increment": () => engineCase({ strategy: "image-transfer", mode: "increment" }),
  "engine-disk-attachment-full": () => engineCase({ strategy: "disk-attachment", mode: "full" }),
};
