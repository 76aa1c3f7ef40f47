import { extname, resolve } from "node:path";

import { NotFoundError, type RecoveryPoint, UsageError } from "@ovault/contract";
import { type DiskLosses, restoreToTarget } from "@ovault/core";
import { draftsOf, Qcow2FileTarget, RawFileTarget, RawStreamTarget, type ImageFileTarget } from "@ovault/disk-image";
import { Installation, findDisk, findPoint } from "@ovault/operations";

import type { CommandContext } from "../command.ts";

type ImageFormat = "raw" | "qcow2";

/** As on the command line. */
export interface RestoreFileOptions {
  readonly disk: string;
  readonly toFile: string;
  /** Default: what the extension of the file says, else raw. */
  readonly format?: ImageFormat;
  /** Only machines of this manager match. */
  readonly manager?: string;
  readonly salvage?: boolean;
}

/** Sizes in bytes. */
export interface RestoredFile {
  readonly point: string;
  readonly disk: { readonly id: string; readonly alias: string };
  readonly file: string;
  readonly format: ImageFormat;
  readonly doneBytes: number;
  readonly writtenBytes: number;
  /** Empty unless something could not be read, which only a restore with `salvage` accepts. */
  readonly lost: readonly DiskLosses[];
  readonly elapsedMs: number;
}

const TARGETS = { raw: RawFileTarget, qcow2: Qcow2FileTarget } as const;
/** Other extensions say nothing about the format. */
const FORMATS: ReadonlyMap<string, ImageFormat> = new Map([
  [".raw", "raw"],
  [".qcow2", "qcow2"],
]);
/** Stands for stdout in place of a path. */
const STDOUT = "-";

/**
 * Needs only the destination. The file appears complete or not at all; an existing file is never overwritten. Writes a
 * raw disk to stdout from its first byte to its last, and everything else to stderr.
 */
export async function restoreToFile(
  context: CommandContext,
  wanted: string,
  { disk: wantedDisk, toFile, format: wantedFormat, manager, salvage = false }: RestoreFileOptions,
  from: string | undefined,
): Promise<RestoredFile> {
  const natural = FORMATS.get(extname(toFile).toLowerCase());
  const format = wantedFormat ?? natural ?? "raw";
  if (toFile === STDOUT) claimStdout(context, format);
  await using installation = await Installation.open(context);
  const repository = await installation.repository(from);
  const point = await findPoint(repository, wanted, context, { manager });
  const record = findRecord(point, wantedDisk);
  const { id, alias } = record.disk;
  const { logicalBytes } = record.stats;
  const path = toFile === STDOUT ? STDOUT : resolve(toFile);
  const startedAt = performance.now();
  const drafts = toFile === STDOUT ? [] : await draftsOf(path);
  const target: ImageFileTarget =
    toFile === STDOUT
      ? new RawStreamTarget({ stream: process.stdout, name: "stdout", diskId: id, logicalBytes })
      : await TARGETS[format].create({ path, diskId: id, logicalBytes });
  if (natural !== undefined && natural !== format) {
    context.terminal.warn(`${toFile} becomes a ${format} image, and its name says ${natural}`);
  }
  for (const draft of drafts) {
    context.terminal.warn(`${draft} is left of a restore that was killed, unless one is writing it: then remove it`);
  }
  try {
    const totals = await restoreToTarget({
      point,
      record,
      target,
      store: repository,
      salvage,
      taps: [context.terminal.showRun(alias, logicalBytes)],
      signal: context.signal,
    });
    await target.finish();
    const elapsedMs = Math.round(performance.now() - startedAt);
    return { point: point.id, disk: { id, alias }, file: path, format, ...totals, elapsedMs };
  } catch (error) {
    await target.abort();
    throw error;
  }
}

/** @throws UsageError when the disk cannot go to stdout */
function claimStdout({ terminal }: CommandContext, format: ImageFormat): void {
  if (format !== "raw") {
    throw new UsageError("a QCOW2 image cannot be written to a pipe: its tables are known when all data is written", {
      hint: "Write it to a file, or take --format raw.",
    });
  }
  if (process.stdout.isTTY) {
    throw new UsageError("stdout is a terminal, and a disk is no text", {
      hint: "Redirect it, for example: --to-file - | gzip > disk.raw.gz",
    });
  }
  terminal.leaveOutput();
}

function findRecord(point: RecoveryPoint, wanted: string): RecoveryPoint["disks"][number] {
  const owner = `recovery point ${point.id}`;
  const { id } = findDisk(
    [...point.disks, ...point.skipped].map(({ disk }) => disk),
    wanted,
    owner,
  );
  const record = point.disks.find(({ disk }) => disk.id === id);
  if (record !== undefined) return record;
  const reason = point.skipped.find(({ disk }) => disk.id === id)?.reason ?? "it was not taken";
  throw new NotFoundError(`${owner} does not hold disk ${wanted}: ${reason}`, { context: { disk: id } });
}
