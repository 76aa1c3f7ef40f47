import { execFile, spawn, type ChildProcess } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import type { PointSummary } from "@ovault/cli";
import { connectLab, type LabControl } from "@ovault/lab";

import { runOvault, type OvaultResult } from "@ovault/test-support/ovault/run-ovault";

const run = promisify(execFile);
const LAUNCHER = fileURLToPath(new URL("../../../packages/cli/bin/ovault.js", import.meta.url));

/** Environment variables. */
type Variables = Readonly<Record<string, string>>;

export interface LabRigOptions {
  /** More options of `lab start`. */
  readonly start?: readonly string[];
  /** For every command. */
  readonly env?: Variables;
}

/** A lab in a process of its own, and the command line to work with it: nothing is shared with the test but files. */
export class LabRig {
  readonly directory: string;
  readonly lab: LabControl;
  readonly #env: Variables;

  /** `images`: by VM name, options for `qemu-img create`, one entry for each disk. */
  static async start(
    images: Readonly<Record<string, readonly (readonly string[])[]>>,
    { start = [], env = {} }: LabRigOptions = {},
  ): Promise<LabRig> {
    const rig = new LabRig(await mkdtemp(join(tmpdir(), "ovault-e2e-")), env);
    const vms: string[] = [];
    for (const [name, disks] of Object.entries(images)) {
      const files = disks.map((_, index) => rig.file(`${name}-${index}`));
      for (const [index, options] of disks.entries()) {
        await run("qemu-img", ["create", "-q", ...withFile(options, files[index] ?? "")]);
      }
      vms.push("--vm", `${name}=${files.join(",")}`);
    }
    const started = await rig.ovault("lab", "start", "--dir", rig.labDirectory, ...vms, ...start, "--detach");
    if (started.exitCode !== 0) throw new Error(`the lab did not start: ${started.stderr}`);
    return rig;
  }

  private constructor(directory: string, env: Variables) {
    this.directory = directory;
    this.lab = connectLab(this.labDirectory);
    this.#env = { OVAULT_CONFIG: join(this.labDirectory, "ovault.yaml"), ...env };
  }

  get labDirectory(): string {
    return join(this.directory, "lab");
  }

  file(name: string): string {
    return join(this.directory, name);
  }

  async ovault(...args: readonly string[]): Promise<OvaultResult> {
    return await this.ovaultWith({}, ...args);
  }

  /** With other environment variables. */
  async ovaultWith(env: Variables, ...args: readonly string[]): Promise<OvaultResult> {
    return await runOvault(args, { cwd: this.directory, env: { ...this.#env, ...env } });
  }

  /** As `ovault`, but must end well; answers with what `--json` printed. */
  async json<T>(...args: readonly string[]): Promise<T> {
    const { exitCode, stdout, stderr } = await this.ovault(...args, "--json");
    if (exitCode !== 0) throw new Error(`ovault ${args.join(" ")} ended with ${exitCode}: ${stderr}`);
    const value: T = JSON.parse(stdout);
    return value;
  }

  /** Starts a command and lets it run. */
  begin(...args: readonly string[]): ChildProcess {
    const env = { ...process.env, ...this.#env };
    return spawn(process.execPath, [LAUNCHER, ...args], {
      cwd: this.directory,
      env,
      stdio: ["ignore", "pipe", "pipe"],
    });
  }

  async points(): Promise<readonly PointSummary[]> {
    return await this.json<readonly PointSummary[]>("points");
  }

  /** The bytes of a disk (by id or alias) as QEMU sees them now. */
  async view(disk: string): Promise<Buffer> {
    const file = this.file("view.raw");
    await this.lab.view(disk, file);
    return await readAndRemove(file);
  }

  /** The bytes of a disk of a point, restored with the destination alone. */
  async restored(point: string, disk: string): Promise<Buffer> {
    const file = this.file("restored.raw");
    await this.json("restore", point, "--disk", disk, "--to-file", file);
    return await readAndRemove(file);
  }

  async stop(): Promise<void> {
    await this.ovault("lab", "stop", "--dir", this.labDirectory);
    await rm(this.directory, { recursive: true, force: true });
  }
}

/** Looks again and again until something is so. */
export async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(20);
}

/** The file stands before the size: `-f raw FILE 10M`. */
function withFile(options: readonly string[], file: string): readonly string[] {
  return [...options.slice(0, -1), file, ...options.slice(-1)];
}

async function readAndRemove(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } finally {
    await rm(file, { force: true });
  }
}
