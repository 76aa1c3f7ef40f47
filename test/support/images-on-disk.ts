import { execFile } from "node:child_process";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

import { ImagePoints, type Ledger, verifyImages } from "@ovault/core";
import { SyntheticStore } from "@ovault/destination-synthetic";
import { keysOf } from "@ovault/testkit";

import type { RecoveryPoint } from "@ovault/contract";
import { BLOCK_BYTES, blockDisk, blocksOf } from "@ovault/test-support/repository/block-disk";
import { type BlockRun, takeBlockPoint } from "@ovault/test-support/repository/take-block-point";

const run = promisify(execFile);
const { signal } = new AbortController();

/** Whole images of machines of blocks in a directory with reflinks, as a process of its own finds them. */
export class ImagesOnDisk {
  readonly directory: string;
  readonly images: ImagePoints;
  readonly #ledger: Ledger;

  private constructor(directory: string, images: ImagePoints, ledger: Ledger) {
    this.directory = directory;
    this.images = images;
    this.#ledger = ledger;
  }

  static async open(directory: string, ledger: Ledger): Promise<ImagesOnDisk> {
    const images = new ImagePoints(await SyntheticStore.open(directory), { blockBytes: BLOCK_BYTES });
    return new ImagesOnDisk(directory, images, ledger);
  }

  /** Clones all of it to another directory of the same file system. */
  async cloneTo(directory: string): Promise<void> {
    await run("cp", ["-a", "--reflink=always", this.directory, directory]);
  }

  async backUp(wish: BlockRun): Promise<RecoveryPoint> {
    return await takeBlockPoint(this.images, wish, { ledger: this.#ledger, signal, ifBusy: "refuse" });
  }

  /** Ids of the points that can be seen. */
  async visible(): Promise<readonly string[]> {
    return (await this.images.points.list(signal)).points.map(({ id }) => id);
  }

  /** Points that are not what their machine was, and what verify finds. */
  async broken(): Promise<readonly unknown[]> {
    const { points, damaged } = await this.images.points.list(signal);
    const broken: unknown[] = damaged.map(({ key }) => key);
    for (const point of points) {
      const [record] = point.disks;
      if (record === undefined) throw new Error("a machine of blocks has a disk");
      const reader = await this.images.openDisk(point, record, { signal });
      const bytes = Buffer.alloc(reader.logicalBytes);
      await reader.readInto(0, bytes, signal);
      await reader.close();
      if (Buffer.compare(bytes, blockDisk(blocksOf(point.vm)).bytes) !== 0) broken.push(point.id);
    }
    return [...broken, ...(await verifyImages(this.images, { signal })).damage];
  }

  /** Images and drafts that belong to no point, and marks of points that are forgotten. */
  async left(): Promise<readonly string[]> {
    const { points } = this.images;
    const needed = new Set(
      (await points.list(signal)).points.flatMap((point) =>
        point.disks.map(({ disk }) => points.keyOfImage(point, disk.id)),
      ),
    );
    const left: string[] = [];
    for await (const { key } of points.images.list("", { signal })) if (!needed.has(key)) left.push(key);
    const marks = (await keysOf(points.images.objects, "points/")).filter((key) => key.endsWith(".forgotten"));
    return [...left, ...marks, ...(await readdir(join(this.directory, "drafts")))];
  }
}
