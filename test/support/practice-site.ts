import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

import { stringify } from "yaml";

import type { PointSummary } from "@ovault/cli";
import type { BaseMarker, RecoveryPoint } from "@ovault/contract";
import { Repository } from "@ovault/core";
import { createFilesystemDestination, FilesystemStore } from "@ovault/destination-filesystem";
import { labConfiguration, startLab, type Lab, type LabOptions } from "@ovault/lab";

import { runOvault, type OvaultResult } from "@ovault/test-support/ovault/run-ovault";
import { ChildCommand, type ChildCommandOptions } from "./child-command.ts";

const run = promisify(execFile);
/** The lab's engine and ovault use short intervals: nothing here depends on durations. */
const STEP_MS = 10;
const POLL_MS = 20;
const BLOCK_BYTES = 256 * 1024;
const HOST_SETTLE_MS = 10_000;

export interface DiskImage {
  readonly format: "qcow2" | "raw";
  readonly bytes: number;
}

export interface SiteOptions extends Pick<LabOptions, "engineVersion" | "product" | "delayMs" | "proxy" | "staging"> {
  /** Disks by the name of the virtual machine. */
  readonly vms: Readonly<Record<string, readonly DiskImage[]>>;
  readonly down?: readonly string[];
}

/** A lab in this process with a repository beside it, and the command line to work with both. */
export class PracticeSite {
  readonly directory: string;
  readonly lab: Lab;

  static async start({ vms, down = [], ...options }: SiteOptions): Promise<PracticeSite> {
    const directory = await mkdtemp(join(tmpdir(), "ovault-robustness-"));
    const requests = [];
    for (const [name, disks] of Object.entries(vms)) {
      const images = disks.map((_, index) => join(directory, `${name}-${index}`));
      for (const [index, { format, bytes }] of disks.entries()) {
        await run("qemu-img", ["create", "-q", "-f", format, images[index] ?? "", String(bytes)]);
      }
      requests.push({ name, images, down: down.includes(name) });
    }
    const lab = await startLab({ delayMs: STEP_MS, ...options, directory: join(directory, "lab"), vms: requests });
    const site = new PracticeSite(directory, lab);
    await site.makeRepository("repository");
    await site.configure();
    return site;
  }

  private constructor(directory: string, lab: Lab) {
    this.directory = directory;
    this.lab = lab;
  }

  file(...names: readonly string[]): string {
    return join(this.directory, ...names);
  }

  async makeDirectory(...names: readonly string[]): Promise<string> {
    const directory = this.file(...names);
    await mkdir(directory, { recursive: true });
    return directory;
  }

  get repositoryDirectory(): string {
    return join(this.lab.directory, "repository");
  }

  /** In the lab's directory. */
  async makeRepository(name: string): Promise<void> {
    const directory = join(this.lab.directory, name);
    await createFilesystemDestination(directory);
    const signal = AbortSignal.timeout(60_000);
    await Repository.create(await FilesystemStore.open(directory), { blockBytes: BLOCK_BYTES, signal });
  }

  /** Writes ovault.yaml; `change` may make something else of it. */
  async configure(
    change: (configuration: ReturnType<typeof labConfiguration>) => unknown = (same) => same,
  ): Promise<void> {
    const { managers, ...rest } = labConfiguration(this.lab);
    const configuration = { ...rest, managers: { lab: { ...managers.lab, pollMs: POLL_MS } } };
    await writeFile(join(this.lab.directory, "ovault.yaml"), stringify(change(configuration)), { mode: 0o600 });
  }

  /** Starts a command in a separate process, to watch and to signal. */
  begin(args: readonly string[], options: Pick<ChildCommandOptions, "strike" | "stepsFile"> = {}): ChildCommand {
    return new ChildCommand(args, { ...this.#surroundings, ...options });
  }

  async ovault(...args: readonly string[]): Promise<OvaultResult> {
    return await runOvault(args, this.#surroundings);
  }

  /** Must end well. */
  async succeed(...args: readonly string[]): Promise<string> {
    const { exitCode, stdout, stderr } = await this.ovault(...args);
    if (exitCode !== 0) throw new Error(`ovault ${args.join(" ")} ended with ${exitCode}: ${stderr}\n${stdout}`);
    return stdout;
  }

  /** Must fail, with a code, a message and a hint for a person. */
  async fail(...args: readonly string[]): Promise<Failure> {
    const { exitCode, stderr } = await this.ovault(...args, "--json");
    const lastLine = stderr.trimEnd().split("\n").at(-1) ?? "";
    if (!lastLine.startsWith("{")) throw new Error(`ovault ${args.join(" ")} ended with ${exitCode}: ${stderr}`);
    const { error }: { error: Omit<Failure, "exitCode"> } = JSON.parse(lastLine);
    return { exitCode, ...error };
  }

  async backUp(vm: string, ...options: readonly string[]): Promise<PointSummary> {
    const results: readonly { readonly point: PointSummary }[] = JSON.parse(
      await this.succeed("backup", vm, ...options, "--json"),
    );
    const [first] = results;
    if (first === undefined) throw new Error(`the backup of ${vm} has no result`);
    return first.point;
  }

  /** All sealed points, oldest first, read without the command line. */
  async points(): Promise<readonly RecoveryPoint[]> {
    const signal = AbortSignal.timeout(60_000);
    const repository = await Repository.open(await FilesystemStore.open(this.repositoryDirectory), { signal });
    return (await repository.points.list(signal)).points;
  }

  /**
   * Leftovers of runs on the engine and in the ledger, one text each; empty when all is well. Machines
   * named in `vms` belong there, and so does, for each machine, the checkpoint or snapshot that its next increment
   * needs.
   */
  async remains(vms: readonly string[] = []): Promise<readonly string[]> {
    return await this.#remains(vms, ({ checkpointId, snapshotId }) => [checkpointId, snapshotId]);
  }

  /** The same, but for checkpoints of older points that the next run is known to retire: a run that is cut short owes them. */
  async remainsUnknown(vms: readonly string[] = []): Promise<readonly string[]> {
    return await this.#remains(vms, ({ checkpointId, snapshotId, retiring }) => [
      checkpointId,
      snapshotId,
      ...toArray(retiring),
    ]);
  }

  get #surroundings(): { readonly cwd: string; readonly env: Readonly<Record<string, string>> } {
    return { cwd: this.directory, env: { OVAULT_CONFIG: join(this.lab.directory, "ovault.yaml") } };
  }

  async #remains(vms: readonly string[], known: (base: BaseMarker) => readonly unknown[]): Promise<readonly string[]> {
    const latest = new Map((await this.points()).map((point) => [point.vm.id, point]));
    const records = [...latest.values()].flatMap(({ disks }) => disks);
    const needed = records.flatMap(({ base }) => (base === undefined ? [] : known(base)));
    const leftovers = await this.#leftovers();
    const beyond = {
      ...leftovers,
      checkpoints: leftovers.checkpoints.filter((id) => !needed.includes(id)),
      snapshots: leftovers.snapshots.filter((id) => !needed.includes(id)),
      vms: leftovers.vms.filter((name) => !vms.includes(name)),
      ledger: await this.#ledger(),
      staged: await this.#staged(),
    };
    return Object.entries(beyond).flatMap(([kind, things]) => things.map((thing) => `${kind}: ${thing}`));
  }

  /** The shell that watches a script on a host ends some seconds after it. */
  async #leftovers(): ReturnType<Lab["leftovers"]> {
    for (const end = performance.now() + HOST_SETTLE_MS; ;) {
      const leftovers = await this.lab.leftovers();
      if (leftovers.hostProcesses.length === 0 || performance.now() > end) return leftovers;
      await sleep(100);
    }
  }

  /** What lies in export domains. */
  async #staged(): Promise<readonly string[]> {
    const found: string[] = [];
    for (const { folder } of this.lab.staging) {
      for (const domain of await readdir(folder)) {
        for (const part of ["images", "master/vms"]) {
          found.push(...(await readdir(join(folder, domain, part)).catch(() => [])));
        }
      }
    }
    return found;
  }

  async stop(): Promise<void> {
    await this.lab.stop();
    await rm(this.directory, { recursive: true, force: true });
  }

  /** Files of the ledger: none when no cleanup is pending. */
  async #ledger(): Promise<readonly string[]> {
    const directory = join(this.lab.directory, "state", "ledger");
    const files = await readdir(directory).catch(() => []);
    return await Promise.all(files.map((file) => readFile(join(directory, file), "utf8")));
  }
}

/** As `--json` shows an error, with how the process ended. */
export interface Failure {
  readonly exitCode: number | null;
  readonly code: string;
  readonly message: string;
  readonly hint: string | null;
}

function toArray(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
