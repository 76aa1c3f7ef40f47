import { z } from "zod";

import {
  type ObjectStore,
  type PutOptions,
  IntegrityError,
  NotARepositoryError,
  ObjectNotFoundError,
} from "@ovault/contract";
import { DIGEST_NAMES } from "../blocks/digests/chunk-digest.ts";
import { decodeDocument, encodeDocument } from "./document.ts";
import { REPOSITORY_KEY } from "./layout.ts";
import { LARGEST, readKey } from "./read-whole.ts";

const TYPE = "repository";
const VERSION_IN_THE_CLEAR = 1;
const VERSION_ENCRYPTED = 2;
/** Chunks are named by another digest than SHA-256. */
const VERSION_OTHER_DIGEST = 3;
const NEWEST_VERSION = VERSION_OTHER_DIGEST;
const MIB = 1024 * 1024;

export const DEFAULT_BLOCK_BYTES = MIB;
export const SMALLEST_BLOCK_BYTES = MIB / 4;
export const LARGEST_BLOCK_BYTES = 4 * MIB;

const settingsSchema = z.object({
  id: z.uuid(),
  blockBytes: z.number().int().min(512).max(LARGEST_BLOCK_BYTES),
  createdAt: z.iso.datetime(),
  /** Before version 3 every repository used SHA-256, and the settings did not name it. */
  digest: z.enum(DIGEST_NAMES).default("sha-256"),
  encryption: z
    .object({
      cipher: z.literal("aes-256-gcm"),
      /** MAC of these settings by the master key. Hex. */
      mac: z.string().regex(/^[0-9a-f]{64}$/),
    })
    .optional(),
});

/** What is fixed for the whole life of a repository. `blockBytes` in bytes. */
export type RepositorySettings = z.infer<typeof settingsSchema>;

/**
 * Makes a store a repository. Answers false, and changes nothing, when it already holds another one. Settings that a
 * repeated put finds, because its first answer was lost, are its own.
 */
export async function putSettings(
  store: ObjectStore,
  settings: RepositorySettings,
  options: Omit<PutOptions, "ifAbsent">,
): Promise<boolean> {
  const document = encodeSettings(settings);
  if ((await store.put(REPOSITORY_KEY, [document], { ...options, ifAbsent: true })) === "stored") return true;
  return (
    Buffer.compare(await readKey(store, REPOSITORY_KEY, LARGEST.small, { signal: options.signal }), document) === 0
  );
}

/** Encodes in the oldest version that can express it, so that older releases can read as much as possible. */
export function encodeSettings({ digest, ...settings }: RepositorySettings): Uint8Array {
  if (digest !== "sha-256") return encodeDocument(TYPE, VERSION_OTHER_DIGEST, { ...settings, digest });
  const version = settings.encryption === undefined ? VERSION_IN_THE_CLEAR : VERSION_ENCRYPTED;
  return encodeDocument(TYPE, version, settings);
}

/** `title`: the store's name in errors. @throws NotARepositoryError, RepositoryVersionError, IntegrityError */
export async function readSettings(
  store: ObjectStore,
  { title = "the destination", signal }: { readonly title?: string | undefined; readonly signal: AbortSignal },
): Promise<RepositorySettings> {
  let document: Uint8Array;
  try {
    document = await readKey(store, REPOSITORY_KEY, LARGEST.small, { signal });
  } catch (error) {
    if (!(error instanceof ObjectNotFoundError)) throw error;
    throw new NotARepositoryError(`${title} holds no ovault repository`, {
      cause: error,
      hint: "Check the destination in ovault.yaml, or create a repository there with `ovault destination init`.",
    });
  }
  const settings = settingsSchema.safeParse(decodeDocument(TYPE, NEWEST_VERSION, document, REPOSITORY_KEY));
  if (settings.success) return settings.data;
  throw new IntegrityError(`${REPOSITORY_KEY} has impossible settings: ${z.prettifyError(settings.error)}`);
}
