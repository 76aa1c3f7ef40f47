/**
 * Backs up one disk into a repository, as a process of its own, and prints what it took:
 *
 *     take-backup.ts SOURCE DESTINATION [CHANGES]
 *
 * SOURCE is a raw file or an NBD URI, DESTINATION a directory or a JSON file, as for `openRepository`. CHANGES is a JSON
 * file of changed ranges: then the last point in the repository is the base, and everything else is told to be unchanged.
 */
import { readFile } from "node:fs/promises";

import {
  backupDisks,
  BufferPool,
  createRunHooks,
  DEFAULT_LANES,
  type DiskSource,
  type Extent,
  newPointId,
  packageVersion,
} from "@ovault/core";
import { NbdSource, RawFileSource } from "@ovault/disk-image";
import { parseNbdUri } from "@ovault/nbd";

import type { ChangedRange } from "./images.ts";
import { openRepository } from "./open-destination.ts";

const [sourceName = "", destination = "", changes] = process.argv.slice(2);
const { signal } = new AbortController();

const repository = await openRepository(destination);
const opened = await openSource();
const source = changes === undefined ? opened : incremental(opened, JSON.parse(await readFile(changes, "utf8")));
const { points } = await repository.points.list(signal);
const writer = repository.writer(signal);
const disks = await backupDisks({
  sources: [source],
  repository,
  writer,
  base: changes === undefined ? undefined : points.at(-1),
  buffers: new BufferPool(DEFAULT_LANES, repository.settings.blockBytes),
  hooks: createRunHooks(),
  signal,
});
await writer.finish();
const now = new Date();
await repository.points.seal(
  {
    id: newPointId(now),
    vm: { id: "bench", name: "bench", manager: "bench", status: "down", disks: [], attributes: {} },
    takenAt: now.toISOString(),
    sealedAt: now.toISOString(),
    runId: "bench",
    strategy: "bench",
    basePoint: null,
    consistency: "offline",
    blockBytes: repository.settings.blockBytes,
    disks,
    skipped: [],
    documents: [],
    warnings: [],
    ovaultVersion: packageVersion(),
  },
  signal,
);
await opened.close();
await repository.close();
const storedBytes = disks.reduce((sum, { stats }) => sum + stats.storedBytes, 0);
const report = { rssMiB: process.resourceUsage().maxRSS / 1024, storedMiB: storedBytes / 2 ** 20 };
process.stdout.write(`${JSON.stringify(report)}\n`);

function openSource(): Promise<RawFileSource | NbdSource> {
  if (!sourceName.startsWith("nbd")) return RawFileSource.open(sourceName, { diskId: "disk" });
  const { address, exportName } = parseNbdUri(sourceName);
  return NbdSource.open({ address, exportName, diskId: "disk", signal });
}

/** The source with the extents that change tracking would give. */
function incremental(disk: DiskSource, ranges: readonly ChangedRange[]): DiskSource {
  const end = disk.disk.logicalBytes;
  return {
    disk: disk.disk,
    mode: "incremental",
    reason: "a benchmark",
    maxReads: disk.maxReads,
    readsUnchanged: true,
    readInto: (offset, buffer, readSignal) => disk.readInto(offset, buffer, readSignal),
    async *extents(): AsyncGenerator<Extent> {
      let at = 0;
      for (const { offset, length } of ranges) {
        if (offset > at) yield { offset: at, length: offset - at, kind: "unchanged" };
        yield { offset, length, kind: "data" };
        at = offset + length;
      }
      if (at < end) yield { offset: at, length: end - at, kind: "unchanged" };
    },
  };
}
