import { runFailure } from "../concurrency/cancellation.ts";
import type { BeginPointOptions } from "../points/point-writer.ts";
import { type CopiedPoint, PointCopy, type PointCopyOptions } from "./point-copy.ts";

export type CopyPointOptions = Omit<PointCopyOptions, "writer"> & Omit<BeginPointOptions, "copyOf">;

/** Copies one point. At the destination a copy is a run, like a backup of its virtual machine. */
export async function copyPoint(options: CopyPointOptions): Promise<CopiedPoint> {
  const { to, point } = options;
  const writer = await to.beginPoint(point.vm, { ...options, copyOf: point });
  try {
    return await new PointCopy({ ...options, writer, signal: writer.signal }).run();
  } catch (error) {
    throw runFailure(error, writer.signal);
  } finally {
    await writer.release();
  }
}
