import { execFile } from "node:child_process";
import { rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

import type { PracticeSite } from "./practice-site.ts";

const run = promisify(execFile);

/** QEMU's view of all disks of a virtual machine at one moment: raw files by the id of the disk. */
export type View = ReadonlyMap<string, string>;

/** Remembers QEMU's view of the disks at the time of each point, and compares restored points with it. */
export class Witness {
  readonly #site: PracticeSite;
  readonly #views = new Map<string, View>();
  #looks = 0;

  constructor(site: PracticeSite) {
    this.#site = site;
  }

  /** Looks at the disks as they are now. */
  async look(vmName: string): Promise<View> {
    const vm = this.#site.lab.vms.find(({ name }) => name === vmName);
    this.#looks += 1;
    const directory = await this.#site.makeDirectory("views", String(this.#looks));
    const view = new Map<string, string>();
    for (const { id } of vm?.disks ?? []) {
      view.set(id, join(directory, id));
      await this.#site.lab.view(id, join(directory, id));
    }
    return view;
  }

  /** The points that were not known before show this view. Answers with their ids. */
  async attribute(view: View): Promise<readonly string[]> {
    const unknown = (await this.#site.points()).map(({ id }) => id).filter((id) => !this.#views.has(id));
    for (const id of unknown) this.#views.set(id, view);
    return unknown;
  }

  get points(): readonly string[] {
    return [...this.#views.keys()];
  }

  /** Restores every disk of a point to a file and has QEMU compare it. Answers with the disks that differ. */
  async differing(pointId: string): Promise<readonly string[]> {
    const view = this.#views.get(pointId);
    const point = (await this.#site.points()).find(({ id }) => id === pointId);
    if (view === undefined || point === undefined) return [`there is no point ${pointId}`];
    const differing: string[] = [];
    for (const { disk } of point.disks) {
      const file = this.#site.file(`restored-${pointId}-${disk.id}`);
      await this.#site.succeed("restore", pointId, "--disk", disk.id, "--to-file", file);
      if (!(await sameBytes(file, view.get(disk.id) ?? ""))) differing.push(`${pointId} ${disk.alias}`);
      await rm(file);
    }
    return differing;
  }

  /** All points, several at once. */
  async allDiffering(): Promise<readonly string[]> {
    const points = [...this.points];
    const differing: string[] = [];
    const lane = async (): Promise<void> => {
      for (let id = points.pop(); id !== undefined; id = points.pop()) differing.push(...(await this.differing(id)));
    };
    await Promise.all([lane(), lane(), lane()]);
    return differing;
  }

  /** Compares a raw file with a disk of a point, by its index. */
  async fileDiffers(pointId: string, disk: number, file: string): Promise<boolean> {
    const seen = [...(this.#views.get(pointId)?.values() ?? [])][disk];
    return seen === undefined || !(await sameBytes(file, seen));
  }

  /** Compares a virtual machine that was restored from a point, disk by disk. Storage may have made them longer. */
  async vmDiffering(pointId: string, vmName: string): Promise<readonly string[]> {
    const before = [...(this.#views.get(pointId)?.values() ?? [])];
    const after = [...(await this.look(vmName)).values()];
    if (before.length !== after.length) return [`${vmName} has ${after.length} disks`];
    const same = await Promise.all(before.map((file, index) => sameData(file, after[index] ?? "")));
    return same.flatMap((isSame, index) => (isSame ? [] : [`${vmName} disk ${index}`]));
  }
}

/** By QEMU's own comparison of two raw files: what one of them has more must be zeros. */
async function sameData(a: string, b: string): Promise<boolean> {
  try {
    await run("qemu-img", ["compare", "-q", "-f", "raw", "-F", "raw", a, b]);
    return true;
  } catch {
    return false;
  }
}

async function sameBytes(a: string, b: string): Promise<boolean> {
  return (await stat(a)).size === (await stat(b)).size && (await sameData(a, b));
}
