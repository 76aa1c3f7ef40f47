import { z } from "zod";

import { secretReference, sizeInBytes } from "@ovault/contract";

import { count } from "./count.ts";
import { patience } from "./patience.ts";
import { retentionSchema } from "./retention-schema.ts";

/** A lower rate is a missing unit: no pack would ever arrive. */
const LOWEST_RATE = 1024;
/** Levels of Zstandard; 20 and above take gigabytes of memory for little gain. */
const [LOWEST_LEVEL, HIGHEST_LEVEL] = [-131_072, 19];

const ENCRYPTION_FORMS = "either { passphrase: SECRET }, where SECRET is a reference, or { keyFile: PATH }";
const COMPRESSION_FORMS = "none, lz4, zstd, the name of a plugin's codec, or { codec: zstd, level: 3 }";
const RATE_FORMS = "bytes per second, at least 1 KiB: a number, or text like 50 MiB";

const encryption = z
  .strictObject(
    { passphrase: secretReference.optional(), keyFile: z.string().min(1).optional() },
    { error: ({ code }) => (code === "invalid_type" ? ENCRYPTION_FORMS : undefined) },
  )
  .transform(({ passphrase, keyFile }, context) => {
    if (passphrase !== undefined && keyFile === undefined) return { passphrase };
    if (keyFile !== undefined && passphrase === undefined) return { keyFile };
    context.addIssue(ENCRYPTION_FORMS);
    return z.NEVER;
  });

const level = z
  .int()
  .min(LOWEST_LEVEL)
  .max(HIGHEST_LEVEL, `the highest level is ${HIGHEST_LEVEL}`)
  .refine((value) => value !== 0, "a level is 1 to 19, or below 0 for faster");

const compression = z
  .preprocess(
    (written) => (typeof written === "string" ? { codec: written } : written),
    z.strictObject(
      { codec: z.string().min(1), level: level.optional() },
      { error: ({ code }) => (code === "invalid_type" ? COMPRESSION_FORMS : undefined) },
    ),
  )
  .refine((value) => value.level === undefined || value.codec === "zstd", {
    path: ["level"],
    error: "only zstd has levels",
  });

const rate = z.union([z.number(), z.string()], { error: RATE_FORMS }).transform((written, context) => {
  const bytes = typeof written === "number" ? written : sizeInBytes(written);
  if (bytes !== undefined && bytes >= LOWEST_RATE) return bytes;
  context.addIssue(RATE_FORMS);
  return z.NEVER;
});

/** Core's own keys of a destination, to spread into the schema of the entry. */
export const destinationSettingsShape = {
  encryption: encryption.optional(),
  compression: compression.optional(),
  limits: z
    .strictObject({ concurrency: count.optional(), upload: rate.optional(), download: rate.optional() })
    .optional(),
  patience: patience.optional(),
  lockDays: count.optional(),
  readOnly: z.boolean().optional(),
  retention: retentionSchema.optional(),
};

/** The same keys by name. */
export const DESTINATION_SETTINGS: readonly string[] = Object.keys(destinationSettingsShape);
