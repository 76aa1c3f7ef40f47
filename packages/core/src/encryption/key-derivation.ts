import { createSecretKey, hkdfSync, type KeyObject, randomBytes, scrypt } from "node:crypto";
import { z } from "zod";

import { EncryptionKeyError } from "@ovault/contract";
import { KEY_BYTES } from "./repository-key.ts";
import type { RepositorySecret, SecretKind } from "./repository-secret.ts";

/** The cost of each guess of a passphrase. */
export interface ScryptCost {
  readonly N: number;
  readonly r: number;
  readonly p: number;
}

/** 128 MiB of memory and about half a second. */
export const SCRYPT_COST: ScryptCost = { N: 2 ** 17, r: 8, p: 1 };
/** Limits for the figures of a stored document: four times the usual memory, and eight times the work. */
const MOST_MEMORY_BYTES = 2 ** 29;
const MOST_WORK_BYTES = 2 ** 30;
const SALT_BYTES = 32;

const salt = z.base64().refine((text) => Buffer.from(text, "base64").byteLength === SALT_BYTES, "a salt has 32 bytes");
const positive = z.int().min(1);

/** How the wrapping key is derived from a secret. Stored parameters are checked before they are used. */
export const derivationSchema = z.discriminatedUnion("name", [
  z
    .object({ name: z.literal("scrypt"), salt, N: positive, r: positive, p: positive })
    .refine(({ N, r }) => N > 1 && Number.isInteger(Math.log2(N)) && Math.log2(N) < 16 * r, "scrypt knows no such N")
    .refine(
      (cost) => memoryBytes(cost) <= MOST_MEMORY_BYTES && memoryBytes(cost) * cost.p <= MOST_WORK_BYTES,
      "the parameters of scrypt are absurdly large",
    ),
  z.object({ name: z.literal("hkdf"), salt }),
]);
export type KeyDerivation = z.infer<typeof derivationSchema>;

/** Makes a new salt every time. */
export function newDerivation(kind: SecretKind, cost: ScryptCost): KeyDerivation {
  const fresh = randomBytes(SALT_BYTES).toString("base64");
  return kind === "passphrase" ? { name: "scrypt", salt: fresh, ...cost } : { name: "hkdf", salt: fresh };
}

/**
 * The key that wraps the master key. A passphrase is made expensive to guess; a key file needs no such protection.
 * @throws EncryptionKeyError when there is too little memory for that
 */
export async function wrappingKey(secret: RepositorySecret, derivation: KeyDerivation): Promise<KeyObject> {
  const from = Buffer.from(derivation.salt, "base64");
  const bytes =
    derivation.name === "scrypt"
      ? await stretch(secret.bytes, from, derivation)
      : Buffer.from(hkdfSync("sha256", secret.bytes, from, "ovault key file", KEY_BYTES));
  try {
    return createSecretKey(bytes);
  } finally {
    bytes.fill(0);
  }
}

/** Runs in libuv's pool. */
function stretch(passphrase: Uint8Array, from: Uint8Array, cost: ScryptCost): Promise<Buffer> {
  const { N, r, p } = cost;
  const maxmem = 2 * memoryBytes(cost) + 128 * r * p;
  return new Promise((resolve, reject) => {
    scrypt(passphrase, from, KEY_BYTES, { N, r, p, maxmem }, (error, bytes) =>
      error === null ? resolve(bytes) : reject(noMemory(cost, error)),
    );
  });
}

/** The parameters were checked before, so memory is the only cause left. */
function noMemory(cost: ScryptCost, cause: unknown): EncryptionKeyError {
  const mebibytes = Math.ceil(memoryBytes(cost) / 2 ** 20);
  return new EncryptionKeyError("there is not enough memory to try the passphrase", {
    cause,
    context: { mebibytes },
    hint: `It takes ${mebibytes} MiB for a moment. A key file takes none: add one elsewhere with \`ovault key add --key-file\`.`,
  });
}

/** The cost of one try, in bytes of memory processed; 0 where a try costs nothing. */
export function workBytes(derivation: KeyDerivation): number {
  return derivation.name === "scrypt" ? memoryBytes(derivation) * derivation.p : 0;
}

function memoryBytes({ N, r }: ScryptCost): number {
  return 128 * N * r;
}
