import { createHash } from "node:crypto";

import {
  type Codec,
  type Disk,
  type DiskSource,
  type Extent,
  processIdentity,
  type RecoveryPoint,
  type ObjectStore,
} from "@ovault/contract";
import { Repository, type RepositorySecret } from "@ovault/core";
import { acquireLease } from "@ovault/core/internal/leases/lease";
import { backupDisks } from "@ovault/core/internal/repository/writing/backup-disks";
import { BufferPool } from "@ovault/core/internal/pipeline/buffer-pool";
import type { DigestName } from "@ovault/core/internal/blocks/digests/chunk-digest";
import { lz4 } from "@ovault/core/internal/blocks/codecs/lz4";
import { zstandard } from "@ovault/core/internal/blocks/codecs/zstandard";

const KIB = 1024;
const BLOCK_BYTES = 256 * KIB;
const VM_ID = "6f0f8a52-5d0a-4c61-9c3f-1f0c6f0e7a11";
const { signal } = new AbortController();

/** What is expected of one disk of one point. */
export interface ExpectedDisk {
  readonly mode: string;
  readonly logicalBytes: number;
  readonly sha256: string;
}

/**
 * Writes a small repository with all that the format knows: blocks stored plain, by LZ4 and by Zstandard, zeros, a disk of
 * nothing but zeros, a short last block, a full point and an increment, a document, and a lease that was given back. With
 * secrets it is encrypted, and each of them opens it.
 */
export async function writeRepository(
  store: ObjectStore,
  [secret, ...others]: readonly RepositorySecret[],
  digest: DigestName = "blake3",
): Promise<readonly ExpectedDisk[]> {
  const encryption = secret && { secret };
  const { keys } = await Repository.create(store, { blockBytes: BLOCK_BYTES, digest, encryption, signal });
  for (const other of others) await keys?.add(other, { label: "another", signal });
  const open = (codec: Codec): Promise<Repository> => Repository.open(store, { secret, codec, signal });
  const first = systemDisk();
  const second = Buffer.concat([first, Buffer.alloc(BLOCK_BYTES)]);
  fill(second, 1, "changed");
  const empty = Buffer.alloc(3 * BLOCK_BYTES);
  const base = await takePoint(await open(lz4), [sourceOf("system", first), sourceOf("data", empty)]);
  const unchanged: Extent[] = [{ offset: 0, length: empty.byteLength, kind: "unchanged" }];
  const increment = [sourceOf("system", second, changesOf(second)), sourceOf("data", empty, unchanged)];
  await takePoint(await open(zstandard(3)), increment, base);
  return [
    expected("full", first),
    expected("full", empty),
    expected("incremental", second),
    expected("incremental", empty),
  ];
}

/** Three blocks that compress, one of zeros, and a short one that does not compress. */
function systemDisk(): Buffer {
  const disk = Buffer.alloc(4 * BLOCK_BYTES + 5000);
  for (const block of [0, 1, 2]) fill(disk, block, "first");
  let state: Uint8Array = Buffer.from("ovault");
  for (let at = 4 * BLOCK_BYTES; at < disk.byteLength; at += state.byteLength) {
    state = createHash("sha256").update(state).digest();
    disk.set(state.subarray(0, disk.byteLength - at), at);
  }
  return disk;
}

function fill(disk: Buffer, block: number, text: string): void {
  for (let at = 0; at < BLOCK_BYTES; at += KIB) {
    disk.fill(`${text} ${block}.${at / KIB} `, block * BLOCK_BYTES + at, block * BLOCK_BYTES + at + KIB);
  }
}

/** Block 1 was written, and the disk has grown. */
function changesOf(disk: Buffer): readonly Extent[] {
  const grown = disk.byteLength - BLOCK_BYTES;
  return [
    { offset: 0, length: BLOCK_BYTES, kind: "unchanged" },
    { offset: BLOCK_BYTES, length: BLOCK_BYTES, kind: "data" },
    { offset: 2 * BLOCK_BYTES, length: grown - 2 * BLOCK_BYTES, kind: "unchanged" },
    { offset: grown, length: BLOCK_BYTES, kind: "zero" },
  ];
}

async function takePoint(
  repository: Repository,
  sources: readonly DiskSource[],
  base?: RecoveryPoint,
): Promise<RecoveryPoint> {
  const lease = await acquireLease(repository.store, {
    resource: "vm-compatibility",
    holder: { runId: "compatibility", ...processIdentity() },
    ttlMs: 60_000,
    ifBusy: "refuse",
    signal,
  });
  const writer = repository.writer(signal);
  const disks = await backupDisks(sources, {
    repository,
    writer,
    base,
    buffers: new BufferPool(1, BLOCK_BYTES),
    onProgress: () => {},
    signal,
  });
  await writer.finish();
  const takenAt = new Date();
  const point: RecoveryPoint = {
    id: await repository.points.nextId({ manager: "prod", id: VM_ID }, takenAt, signal),
    vm: { id: VM_ID, name: "web01", manager: "prod", status: "up", disks: [], attributes: { cluster: "Default" } },
    takenAt: takenAt.toISOString(),
    sealedAt: takenAt.toISOString(),
    runId: "compatibility",
    strategy: "compatibility",
    basePoint: base?.id ?? null,
    consistency: "filesystem",
    blockBytes: repository.settings.blockBytes,
    disks: disks.map((record) => ({ ...record, base: { checkpoint: "c-1" } })),
    skipped: [],
    documents: [{ name: "vm.ovf", mediaType: "text/xml", text: "<Envelope/>" }],
    warnings: ["a warning"],
    ovaultVersion: "0.1.0",
  };
  await repository.points.seal(point, signal);
  await lease.release();
  return point;
}

function sourceOf(alias: string, bytes: Buffer, changes?: readonly Extent[]): DiskSource {
  const disk: Disk = {
    id: alias,
    alias,
    index: alias === "system" ? 0 : 1,
    logicalBytes: bytes.byteLength,
    format: "cow",
    sparse: true,
    bootable: alias === "system",
    interface: "virtio_scsi",
    attributes: {},
  };
  return {
    disk,
    mode: changes === undefined ? "full" : "incremental",
    reason: "a fixture",
    maxReads: 1,
    readsUnchanged: true,
    async *extents() {
      yield* changes ?? [{ offset: 0, length: bytes.byteLength, kind: "data" }];
    },
    async readInto(offset, buffer) {
      buffer.set(bytes.subarray(offset, offset + buffer.byteLength));
    },
  };
}

function expected(mode: string, bytes: Buffer): ExpectedDisk {
  return { mode, logicalBytes: bytes.byteLength, sha256: createHash("sha256").update(bytes).digest("hex") };
}
