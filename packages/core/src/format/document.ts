import { createHash } from "node:crypto";

import { IntegrityError, RepositoryVersionError } from "@ovault/contract";

const HEADER = /^ovault ([a-z-]{1,32}) ([0-9]{1,6}) sha256:([0-9a-f]{64})\n/;
const LONGEST_HEADER = 128;

/**
 * A small object that proves itself: one header line with type, version and a SHA-256, then JSON. The digest covers
 * `type version\n` and the JSON.
 * Every flipped or cut byte is found when it is read.
 */
export function encodeDocument(type: string, version: number, value: unknown): Uint8Array {
  const body = Buffer.from(JSON.stringify(value), "utf8");
  const header = `ovault ${type} ${version} sha256:${proofOf(type, version, body)}\n`;
  return Buffer.concat([Buffer.from(header, "latin1"), body]);
}

/** The type that an object's header claims; undefined when it is no document. */
export function typeOf(object: Uint8Array): string | undefined {
  return headerOf(object)?.[1];
}

/**
 * Reads what `encodeDocument` wrote. The caller checks the JSON's shape.
 * @throws IntegrityError when it is damaged or of another type; RepositoryVersionError when it is newer than `version`
 */
export function decodeDocument(type: string, version: number, bytes: Uint8Array, key: string): unknown {
  const match = headerOf(bytes);
  if (match === null || match[1] !== type) {
    throw new IntegrityError(`${key} is not an ovault ${type} document`, { context: { key } });
  }
  const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).subarray(match[0].length);
  const found = Number(match[2]);
  // Checked first: a flipped bit may turn any version into a newer one.
  if (proofOf(type, found, body) !== match[3]) {
    throw new IntegrityError(`${key} is damaged: its content does not match its digest`, { context: { key } });
  }
  if (found > version) {
    throw new RepositoryVersionError(`${key} has format ${found}; this release reads up to ${version}`, {
      context: { key, found, version },
      hint: "Update ovault on this machine.",
    });
  }
  try {
    return JSON.parse(body.toString("utf8")) as unknown;
  } catch (cause) {
    throw new IntegrityError(`${key} holds no JSON`, { cause, context: { key } });
  }
}

function headerOf(bytes: Uint8Array): RegExpExecArray | null {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return HEADER.exec(buffer.toString("latin1", 0, LONGEST_HEADER));
}

function proofOf(type: string, version: number, body: Uint8Array): string {
  return createHash("sha256").update(`${type} ${version}\n`).update(body).digest("hex");
}
