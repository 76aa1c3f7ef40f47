import { randomBytes, timingSafeEqual } from "node:crypto";
import { z } from "zod";

import { type ObjectKey, IntegrityError } from "@ovault/contract";
import { decodeDocument, encodeDocument } from "../format/document.ts";
import { KEYS } from "../format/layout.ts";
import { seal, TAG_BYTES, unseal } from "../blocks/aes-gcm.ts";
import { derivationSchema, newDerivation, type ScryptCost, wrappingKey } from "./key-derivation.ts";
import { KEY_BYTES, RepositoryKey } from "./repository-key.ts";
import type { RepositorySecret, SecretKind } from "./repository-secret.ts";

const TYPE = "key";
const VERSION = 1;
const PROOF = "keys";
const LONGEST_LABEL = 100;
/** One line: the proof covers it as a line of its text. */
const LABEL = /^[^\p{Cc}\p{Zl}\p{Zp}]*$/u;

const base64Of = (bytes: number): z.ZodType<string> =>
  z.base64().refine((text) => Buffer.from(text, "base64").byteLength === bytes, `expected ${bytes} bytes in Base64`);

const schema = z.object({
  id: z.string().regex(/^[0-9a-f]{16}$/),
  /** Id of the repository. */
  repository: z.uuid(),
  label: z.string().max(LONGEST_LABEL).regex(LABEL),
  createdAt: z.iso.datetime(),
  derivation: derivationSchema,
  /** The master key, sealed by a key derived from the secret. */
  wrapped: base64Of(KEY_BYTES + TAG_BYTES),
  /** Made with the master key over all of the above, so that only a holder of the master key can add keys. */
  proof: base64Of(32),
});

/** One way to open a repository, as the store holds it. */
export type KeyDocument = z.infer<typeof schema>;

export interface NewKey {
  /** Id of the repository. */
  readonly repository: string;
  readonly key: RepositoryKey;
  readonly secret: RepositorySecret;
  readonly label: string;
  readonly cost: ScryptCost;
}

/** What kind of secret opens it. */
export function kindOf({ derivation }: KeyDocument): SecretKind {
  return derivation.name === "scrypt" ? "passphrase" : "key-file";
}

export function isLabel(text: string): boolean {
  return text.length <= LONGEST_LABEL && LABEL.test(text);
}

export function keyKey(id: string): ObjectKey {
  return `${KEYS}${id}`;
}

export function encodeKeyDocument(document: KeyDocument): Uint8Array {
  return encodeDocument(TYPE, VERSION, document);
}

/** @throws IntegrityError unless it is an intact key document of this name; RepositoryVersionError */
export function decodeKeyDocument(bytes: Uint8Array, key: ObjectKey): KeyDocument {
  const parsed = schema.safeParse(decodeDocument(TYPE, VERSION, bytes, key));
  if (!parsed.success) {
    throw new IntegrityError(`${key} is not a key: ${z.prettifyError(parsed.error)}`, { context: { key } });
  }
  if (keyKey(parsed.data.id) === key) return parsed.data;
  throw new IntegrityError(`${key} holds another key`, { context: { key } });
}

/** Wraps the master key with a secret. */
export async function wrapKey({ repository, key, secret, label, cost }: NewKey): Promise<KeyDocument> {
  const derivation = newDerivation(secret.kind, cost);
  const wrapping = await wrappingKey(secret, derivation);
  const document = {
    id: randomBytes(8).toString("hex"),
    repository,
    label,
    createdAt: new Date().toISOString(),
    derivation,
    wrapped: Buffer.from(await key.lend(async (bytes) => seal(wrapping, {}, bytes))).toString("base64"),
  };
  return { ...document, proof: proofOf(document, key).toString("base64") };
}

/** The master key, or undefined when it was wrapped with another secret. */
export async function unwrapKey(document: KeyDocument, secret: RepositorySecret): Promise<RepositoryKey | undefined> {
  if (kindOf(document) !== secret.kind) return undefined;
  const wrapping = await wrappingKey(secret, document.derivation);
  const bytes = unseal(wrapping, {}, Buffer.from(document.wrapped, "base64"));
  return bytes === undefined ? undefined : RepositoryKey.take(bytes);
}

/** @throws IntegrityError when it was made or changed without the master key */
export function assertProved(document: KeyDocument, key: RepositoryKey): void {
  if (timingSafeEqual(Buffer.from(document.proof, "base64"), proofOf(document, key))) return;
  const name = keyKey(document.id);
  throw new IntegrityError(`${name} was made or changed without the master key`, {
    context: { key: name },
    hint: "Something else writes to the destination: find out what, and remove this key.",
  });
}

function proofOf(document: Omit<KeyDocument, "proof">, key: RepositoryKey): Buffer {
  const { id, repository, label, createdAt, derivation, wrapped } = document;
  const { name, salt } = derivation;
  const cost = derivation.name === "scrypt" ? [derivation.N, derivation.r, derivation.p] : [];
  return key.mac(PROOF)([id, repository, label, createdAt, name, salt, ...cost, wrapped].join("\n"));
}
