import * as fc from "fast-check";

import type { Disk, DiskRecord, JsonObject, RecoveryPoint, VirtualMachine } from "@ovault/contract";

import { arbitraryBlockBytes } from "./arbitrary-block-bytes.ts";

/** Text that names may hold: any language, quotes, line breaks, nothing. */
const text = fc.string({ unit: "grapheme", maxLength: 20 });
const name = fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 });
const bytes = fc.nat({ max: Number.MAX_SAFE_INTEGER });
const count = fc.nat(1_000_000);
const instant = fc
  .date({ min: new Date("2000-01-01"), max: new Date("2100-01-01"), noInvalidDate: true })
  .map((date) => date.toISOString());
const digest = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((id) => Buffer.from(id).toString("hex"));
const attributes: fc.Arbitrary<JsonObject> = fc.dictionary(
  fc.string({ minLength: 1, maxLength: 10 }).filter((key) => key !== "__proto__"),
  fc.oneof(text, fc.integer(), fc.boolean(), fc.constant(null)),
  { maxKeys: 4 },
);
const reference = fc.record({ id: name, name: text });

const disk: fc.Arbitrary<Disk> = fc.record(
  {
    id: name,
    alias: text,
    index: fc.nat(30),
    logicalBytes: bytes,
    actualBytes: bytes,
    format: fc.constantFrom("raw", "cow"),
    sparse: fc.boolean(),
    bootable: fc.boolean(),
    interface: fc.constantFrom("virtio", "virtio_scsi", "ide", "sata"),
    storageDomain: reference,
    attributes,
  },
  {
    requiredKeys: ["id", "alias", "index", "logicalBytes", "format", "sparse", "bootable", "interface", "attributes"],
  },
);

const record: fc.Arbitrary<DiskRecord> = fc.record(
  {
    disk,
    mode: fc.constantFrom("full", "incremental", "compared"),
    reason: text,
    blockMap: fc.option(digest),
    base: attributes,
    stats: fc.record({
      logicalBytes: bytes,
      readBytes: bytes,
      storedBytes: bytes,
      zeroBlocks: count,
      unchangedBlocks: count,
      newBlocks: count,
      knownBlocks: count,
    }),
  },
  { requiredKeys: ["disk", "mode", "reason", "blockMap", "stats"] },
);

const vm: fc.Arbitrary<VirtualMachine> = fc.record(
  {
    id: name,
    name: text,
    manager: text,
    status: text,
    cluster: reference,
    host: reference,
    tags: fc.array(text, { maxLength: 3 }),
    disks: fc.array(disk, { maxLength: 3 }),
    attributes,
  },
  { requiredKeys: ["id", "name", "manager", "status", "disks", "attributes"] },
);

const pointId = fc
  .tuple(instant, fc.stringMatching(/^[0-9a-f]{8}$/))
  .map(([at, tail]) => `${at.slice(0, 10).replaceAll("-", "")}-${at.slice(11, 19).replaceAll(":", "")}-${tail}`);

/** Recovery points of any shape that a manifest can hold. What they refer to does not exist. */
export const arbitraryPoint: fc.Arbitrary<RecoveryPoint> = fc.record(
  {
    id: pointId,
    vm,
    takenAt: instant,
    sealedAt: instant,
    runId: fc.uuid(),
    strategy: text,
    strategyReason: text,
    basePoint: fc.option(pointId),
    consistency: fc.constantFrom("filesystem", "crash", "offline"),
    blockBytes: arbitraryBlockBytes,
    disks: fc.array(record, { maxLength: 3 }),
    skipped: fc.array(fc.record({ disk, reason: text }), { maxLength: 2 }),
    documents: fc.array(fc.record({ name: text, mediaType: text, text }), { maxLength: 2 }),
    warnings: fc.array(text, { maxLength: 3 }),
    ovaultVersion: text,
  },
  {
    requiredKeys: [
      "id",
      "vm",
      "takenAt",
      "sealedAt",
      "runId",
      "strategy",
      "basePoint",
      "consistency",
      "blockBytes",
      "disks",
      "skipped",
      "documents",
      "warnings",
      "ovaultVersion",
    ],
  },
);
