import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import { startLab, type Lab, type LabOptions } from "../../src/index.ts";
import { EngineClient } from "./engine-client.ts";

const run = promisify(execFile);
export const MIB = 1024 * 1024;
/** Long enough to be seen between two polls, short enough not to be felt. */
export const STEP_MS = 20;

export interface LabFixture {
  readonly lab: Lab;
  readonly client: EngineClient;
  readonly directory: string;
}

/** A VM `web`, up, with a qcow2 and a raw disk, and what `options` change of it. */
export async function withLab(
  options: Partial<LabOptions>,
  work: (fixture: LabFixture) => Promise<void>,
): Promise<void> {
  await withImages(async (images) => {
    const directory = join(images.directory, "lab");
    const vms = [{ name: "web", images: [images.cow, images.raw] }];
    const lab = await startLab({ directory, vms, delayMs: STEP_MS, ...options });
    const client = await EngineClient.open(lab);
    try {
      await work({ lab, client, directory });
    } finally {
      await client.close();
      await lab.stop();
    }
  });
}

export interface Images {
  readonly directory: string;
  /** 8 MiB, empty. */
  readonly cow: string;
  /** 4 MiB, empty. */
  readonly raw: string;
}

export async function withImages(work: (images: Images) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "ovault-lab-test-"));
  try {
    const [cow, raw] = [join(directory, "root.qcow2"), join(directory, "data.raw")];
    await run("qemu-img", ["create", "-q", "-f", "qcow2", cow, String(8 * MIB)]);
    await run("qemu-img", ["create", "-q", "-f", "raw", raw, String(4 * MIB)]);
    await work({ directory, cow, raw });
  } finally {
    await rm(directory, { recursive: true });
  }
}

/** Changes an image that is not in use, e.g. `write -P 7 1M 64k`. */
export async function runQemuIo(image: string, command: string): Promise<void> {
  await run("qemu-io", ["-c", command, image]);
}
