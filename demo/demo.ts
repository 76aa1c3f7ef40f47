/**
 * The main job from end to end, as a user types it: a lab with a VM whose disk holds real files, a full backup, guest
 * writes, an incremental backup, both points restored as new VMs and to files. Compares every byte with QEMU's own view
 * at the time of the backup. Exits with 1 when anything differs.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { LabStatus } from "@ovault/lab";

import type { PointSummary } from "@ovault/cli";

import { Commands } from "./commands.ts";
import { makeImage } from "./make-image.ts";
import { reportOf, type Step } from "./report.ts";

const VM = "web01";

/** A recovery point, and QEMU's own view of the disk at that time. */
interface Taken {
  readonly point: PointSummary;
  readonly viewFile: string;
}

class Demo {
  readonly #directory: string;
  readonly #lab: string;
  readonly #commands: Commands;
  readonly #steps: Step[] = [];

  constructor(directory: string, signal: AbortSignal) {
    this.#directory = directory;
    this.#lab = join(directory, "lab");
    this.#commands = new Commands({ OVAULT_CONFIG: join(this.#lab, "ovault.yaml") }, signal);
  }

  /** True when everything was identical. */
  async play(signal: AbortSignal): Promise<boolean> {
    const image = this.#file("disk.qcow2");
    await makeImage(image, this.#commands, signal);
    await this.#ovault("lab", "start", "--dir", this.#lab, "--vm", `${VM}=${image}`, "--detach");
    process.stdout.write(`\n$ export OVAULT_CONFIG=${join(this.#lab, "ovault.yaml")}\n`);
    await this.#ovault("vms");
    const full = await this.#backUp("full backup", "full.view");
    await this.#guestWrites();
    const increment = await this.#backUp("incremental backup", "increment.view");
    await this.#ovault("points");
    await this.#restoreAsVm("full point as a VM", `${VM}-full`, full);
    await this.#restoreAsVm("incremental point as a VM", `${VM}-increment`, increment);
    await this.#restoreToFile("full point to a raw file", "raw", full);
    await this.#restoreToFile("incremental point to a qcow2 file", "qcow2", increment);
    await this.#ovault("verify", "--all");
    process.stdout.write(`\n${reportOf(this.#steps)}`);
    return this.#steps.every(({ identical }) => identical !== false);
  }

  /** Never throws: every exit path calls it. */
  async cleanUp(): Promise<void> {
    const commands = new Commands({}, new AbortController().signal);
    await commands.quietly("ovault", "lab", "stop", "--dir", this.#lab).catch(() => undefined);
    await rm(this.#directory, { recursive: true, force: true });
  }

  async #backUp(name: string, viewName: string): Promise<Taken> {
    const viewFile = this.#file(viewName);
    // The guest writes nothing in between, so QEMU's view and the backup show the same instant.
    await this.#commands.quietly("ovault", "lab", "view", "--dir", this.#lab, `${VM}_Disk1`, viewFile);
    const { elapsedMs } = await this.#ovault("backup", VM);
    const { stdout } = await this.#commands.quietly("ovault", "points", VM, "--json");
    const points: readonly PointSummary[] = JSON.parse(stdout);
    const point = points.at(-1);
    const disk = point?.disks[0];
    if (point === undefined || disk === undefined) throw new Error("the backup made no point");
    const { logicalBytes, readBytes, storedBytes } = disk;
    this.#steps.push({ name: `${name} (${disk.mode})`, logicalBytes, readBytes, storedBytes, elapsedMs });
    return { point, viewFile };
  }

  /** Data, discards and zeros, of many sizes, aligned and not. */
  async #guestWrites(): Promise<void> {
    const writes: readonly (readonly string[])[] = [
      ["--offset", "20M", "--length", "12M", "--random", "1"],
      ["--offset", "100M", "--length", "4M", "--pattern", "0x5a"],
      ["--offset", "161280K", "--length", "64K", "--random", "2"],
      ["--offset", "200M", "--length", "24M", "--discard"],
      ["--offset", "260M", "--length", "9M", "--zero"],
      ["--offset", "900M", "--length", "3M", "--random", "3"],
    ];
    for (const write of writes) await this.#ovault("lab", "write", "--dir", this.#lab, VM, "0", ...write);
  }

  async #restoreAsVm(name: string, vmName: string, { point, viewFile }: Taken): Promise<void> {
    const { elapsedMs } = await this.#ovault("restore", point.id, "--as", vmName);
    const { stdout } = await this.#commands.quietly("ovault", "lab", "status", "--dir", this.#lab, "--json");
    const status: LabStatus = JSON.parse(stdout);
    const diskId = status.vms.find((vm) => vm.name === vmName)?.disks[0]?.id;
    if (diskId === undefined) throw new Error(`the lab has no ${vmName} with a disk`);
    const restored = this.#file("restored.view");
    await this.#commands.quietly("ovault", "lab", "view", "--dir", this.#lab, diskId, restored);
    this.#finishRestore(name, point, elapsedMs, await this.#isIdentical(viewFile, restored, "raw"));
    await rm(restored);
  }

  async #restoreToFile(name: string, format: "raw" | "qcow2", { point, viewFile }: Taken): Promise<void> {
    const file = this.#file(`restored.${format}`);
    const { elapsedMs } = await this.#ovault("restore", point.id, "--disk", "0", "--to-file", file, "--format", format);
    this.#finishRestore(name, point, elapsedMs, await this.#isIdentical(viewFile, file, format));
    await rm(file);
  }

  #finishRestore(name: string, point: PointSummary, elapsedMs: number, identical: boolean): void {
    this.#steps.push({ name, logicalBytes: point.disks[0]?.logicalBytes ?? 0, elapsedMs, identical });
  }

  async #isIdentical(viewFile: string, restored: string, format: string): Promise<boolean> {
    try {
      await this.#commands.show("qemu-img", "compare", "-f", "raw", "-F", format, viewFile, restored);
      return true;
    } catch (error) {
      process.stdout.write(`${String(error)}\n`);
      return false;
    }
  }

  #ovault(...args: readonly string[]): ReturnType<Commands["show"]> {
    return this.#commands.show("ovault", ...args);
  }

  #file(name: string): string {
    return join(this.#directory, name);
  }
}

const interrupted = new AbortController();
process.once("SIGINT", () => interrupted.abort(new Error("interrupted")));
process.once("SIGTERM", () => interrupted.abort(new Error("interrupted")));
const demo = new Demo(await mkdtemp(join(tmpdir(), "ovault-demo-")), interrupted.signal);
try {
  const identical = await demo.play(interrupted.signal);
  process.stdout.write(identical ? "\nEvery byte came back as it was.\n" : "\nNOT IDENTICAL: see above.\n");
  process.exitCode = identical ? 0 : 1;
} catch (error) {
  process.stderr.write(`\ndemo: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
} finally {
  await demo.cleanUp();
}
