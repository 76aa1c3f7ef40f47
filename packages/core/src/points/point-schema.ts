import { z } from "zod";

import type { JsonObject, JsonValue, RecoveryPoint } from "@ovault/contract";

/** Shape of a manifest. Unknown keys are dropped, so that an older release can read manifests of a newer one. */
const bytes = z.number().int().nonnegative();
const json: z.ZodType<JsonValue> = z.json();
const jsonObject = z.record(z.string(), json) as z.ZodType<JsonObject>;
const named = z.object({ id: z.string(), name: z.string() });

const disk = z.object({
  id: z.string().min(1),
  alias: z.string(),
  index: z.number().int().nonnegative(),
  logicalBytes: bytes,
  actualBytes: bytes.optional(),
  format: z.enum(["raw", "cow"]),
  sparse: z.boolean(),
  bootable: z.boolean(),
  interface: z.string(),
  storageDomain: named.optional(),
  attributes: jsonObject,
});

const diskRecord = z.object({
  disk,
  mode: z.enum(["full", "incremental", "compared"]),
  reason: z.string(),
  blockMap: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .nullable(),
  base: jsonObject.optional(),
  stats: z.object({
    logicalBytes: bytes,
    readBytes: bytes,
    storedBytes: bytes,
    zeroBlocks: bytes,
    unchangedBlocks: bytes,
    newBlocks: bytes,
    knownBlocks: bytes,
  }),
});

export const pointSchema = z.object({
  id: z.string().regex(/^[0-9a-z-]{1,64}$/),
  vm: z.object({
    id: z.string().min(1),
    name: z.string(),
    manager: z.string(),
    status: z.string(),
    cluster: named.optional(),
    host: named.optional(),
    tags: z.array(z.string()).optional(),
    disks: z.array(disk),
    attributes: jsonObject,
  }),
  takenAt: z.iso.datetime(),
  sealedAt: z.iso.datetime(),
  runId: z.string(),
  strategy: z.string(),
  strategyReason: z.string().optional(),
  basePoint: z.string().nullable(),
  consistency: z.enum(["filesystem", "crash", "offline"]),
  blockBytes: bytes.positive(),
  disks: z.array(diskRecord),
  skipped: z.array(z.object({ disk, reason: z.string() })),
  documents: z.array(z.object({ name: z.string(), mediaType: z.string(), text: z.string() })),
  warnings: z.array(z.string()),
  ovaultVersion: z.string(),
  copiedFrom: z.uuid().optional(),
});

/** Parses a manifest's JSON as a recovery point. @throws ZodError */
export function parsePoint(value: unknown): RecoveryPoint {
  // zod types optional keys as `T | undefined`; JSON cannot hold undefined, so both describe the same values.
  return pointSchema.parse(value) as RecoveryPoint;
}
