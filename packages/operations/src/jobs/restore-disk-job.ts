import { extname, resolve } from "node:path";

import { systemClock } from "@ovault/contract";
import { restoreToTarget } from "@ovault/core";
import type { ImageFileTarget } from "@ovault/disk-image";
import { z } from "zod";

import { asRun } from "../events/as-run.ts";
import type { Installation } from "../installation/installation.ts";
import { findDiskRecord } from "../select/find-disk-record.ts";
import { findPoint } from "../select/find-point.ts";
import { summarizeMachine } from "../summaries/machine-summary.ts";
import type { RestoredDisk } from "../summaries/restore-summary.ts";
import type { InnerContext } from "../inner-context.ts";
import type { JobContext } from "../job-context.ts";
import { inJob } from "./in-job.ts";
import { flag, name } from "./job-fields.ts";

/** Restores one disk of a recovery point to a file. Needs only the destination. */
export const restoreDiskJobSchema = z.strictObject({
  kind: z.literal("restore-disk"),
  /** Id, a unique beginning of it, or `VM@latest`. */
  point: name,
  /** Id, alias or index. */
  disk: name,
  /** Path, relative to the working directory of the process. */
  toFile: name,
  /** Default: what the extension of the file says, else raw. */
  format: z.enum(["raw", "qcow2"]).optional(),
  /** Only machines of this manager match. */
  manager: name.optional(),
  /** Zeros in place of data that cannot be read. */
  salvage: flag,
  /** Destination. */
  from: name.optional(),
});

export type RestoreDiskJob = Readonly<z.output<typeof restoreDiskJobSchema>>;

/** Where a disk goes. */
export interface DiskOutput {
  readonly file: string;
  readonly format: RestoredDisk["format"];
  /** The job finishes the target, or aborts it when it fails. */
  open(diskId: string, logicalBytes: number): Promise<ImageFileTarget>;
}

/** Other extensions say nothing about the format. */
const FORMATS: ReadonlyMap<string, RestoredDisk["format"]> = new Map([
  [".raw", "raw"],
  [".qcow2", "qcow2"],
]);

/** The file appears complete or not at all; an existing file is never overwritten. */
export async function runRestoreDisk(
  installation: Installation,
  job: RestoreDiskJob,
  given: JobContext,
): Promise<RestoredDisk> {
  return await inJob(given, async (context) => {
    const { toFile } = job;
    const natural = FORMATS.get(extname(toFile).toLowerCase());
    const format = job.format ?? natural ?? "raw";
    const path = resolve(toFile);
    // Loaded on demand: no other job needs it.
    const { draftsOf, Qcow2FileTarget, RawFileTarget } = await import("@ovault/disk-image");
    const targets = { raw: RawFileTarget, qcow2: Qcow2FileTarget } as const;
    const open = async (diskId: string, logicalBytes: number): Promise<ImageFileTarget> => {
      const drafts = await draftsOf(path);
      const target = await targets[format].create({ path, diskId, logicalBytes });
      if (natural !== undefined && natural !== format) {
        context.reporter.warn(`${toFile} becomes a ${format} image, and its name says ${natural}`);
      }
      for (const draft of drafts) {
        context.reporter.warn(
          `${draft} is left of a restore that was killed, unless one is writing it: then remove it`,
        );
      }
      return target;
    };
    return await restoreTo(installation, job, { file: path, format, open }, context);
  });
}

/** The same to any target. */
export async function restoreDiskTo(
  installation: Installation,
  job: DiskToRestore,
  output: DiskOutput,
  context: JobContext,
): Promise<RestoredDisk> {
  return await inJob(context, (inner) => restoreTo(installation, job, output, inner));
}

type DiskToRestore = Pick<RestoreDiskJob, "point" | "disk" | "manager" | "salvage" | "from">;

async function restoreTo(
  installation: Installation,
  job: DiskToRestore,
  { file, format, open }: DiskOutput,
  context: InnerContext,
): Promise<RestoredDisk> {
  const { signal, clock = systemClock } = context;
  const store = await installation.points(job.from);
  const point = await findPoint(store, job.point, context, { manager: job.manager });
  const record = findDiskRecord(point, job.disk);
  const { id, alias } = record.disk;
  const { logicalBytes } = record.stats;
  const startedAtMs = clock.elapsedMs();
  const target = await open(id, logicalBytes);
  const subject = { job: "restore-disk", machine: summarizeMachine(point.vm), title: alias } as const;
  return await asRun(subject, context, async (run) => {
    run.announce([{ id, alias, logicalBytes }]);
    try {
      const taps = [run.follow];
      const totals = await restoreToTarget({ point, record, target, store, salvage: job.salvage, taps, signal });
      await target.finish();
      const elapsedMs = Math.round(clock.elapsedMs() - startedAtMs);
      return { point: point.id, disk: { id, alias }, file, format, ...totals, elapsedMs };
    } catch (error) {
      await target.abort();
      throw error;
    }
  });
}
