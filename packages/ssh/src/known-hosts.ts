import { createHmac, timingSafeEqual } from "node:crypto";

import { keyType } from "./host-key.ts";

/** The entries of a known_hosts file for one name. */
export interface KnownKeys {
  readonly keys: readonly Buffer[];
  /** Keys that must never be accepted for it. */
  readonly revoked: readonly Buffer[];
  /** A certificate authority is trusted to sign its key. */
  readonly authority: boolean;
}

const AUTHORITY = "@cert-authority";
const REVOKED = "@revoked";

/** The name of a server and port in known_hosts. */
export function knownHostName(host: string, port: number): string {
  return port === 22 ? host.toLowerCase() : `[${host.toLowerCase()}]:${port}`;
}

/** Looks a name up in the text of a known_hosts file (sshd(8)). Skips invalid lines, as ssh does. */
export function knownKeys(text: string, name: string): KnownKeys {
  const keys: Buffer[] = [];
  const revoked: Buffer[] = [];
  let authority = false;
  for (const line of text.split("\n")) {
    const { marker, names, key } = parseEntry(line) ?? {};
    if (names === undefined || key === undefined || !matches(names, name)) continue;
    if (marker === AUTHORITY) authority = true;
    else if (marker === REVOKED) revoked.push(key);
    else if (marker === undefined) keys.push(key);
  }
  return { keys, revoked, authority };
}

/** All keys in a text that has each as its type and its base64, one after the other. */
export function publicKeys(text: string): readonly Buffer[] {
  const words = text.split(/\s+/);
  return words.flatMap((type, at) => {
    const key = Buffer.from(words[at + 1] ?? "", "base64");
    return type !== "" && keyType(key) === type ? [key] : [];
  });
}

interface Entry {
  readonly marker: string | undefined;
  readonly names: string;
  readonly key: Buffer;
}

function parseEntry(line: string): Entry | undefined {
  const fields = line.trim().split(/[ \t]+/);
  const marker = fields[0]?.startsWith("@") === true ? fields.shift() : undefined;
  const [names, type, base64] = fields;
  if (names === undefined || names.startsWith("#") || type === undefined || base64 === undefined) return undefined;
  const key = Buffer.from(base64, "base64");
  return keyType(key) === type ? { marker, names, key } : undefined;
}

function matches(names: string, name: string): boolean {
  if (names.startsWith("|")) return matchesHash(names, name);
  const patterns = names.toLowerCase().split(",");
  if (patterns.some((pattern) => pattern.startsWith("!") && matchesPattern(pattern.slice(1), name))) return false;
  return patterns.some((pattern) => !pattern.startsWith("!") && matchesPattern(pattern, name));
}

/** `|1|SALT|HASH`: the hash is HMAC-SHA-1 of the name, keyed by the salt. */
function matchesHash(hashed: string, name: string): boolean {
  const [, magic, salt, hash] = hashed.split("|");
  if (magic !== "1" || salt === undefined || hash === undefined) return false;
  const expected = Buffer.from(hash, "base64");
  const actual = createHmac("sha1", Buffer.from(salt, "base64")).update(name).digest();
  return expected.length === actual.length && timingSafeEqual(expected, actual);
}

/**
 * `*` is any run of characters, `?` any one. Uses no regular expression, because a hostile pattern could run for ever.
 */
function matchesPattern(pattern: string, name: string): boolean {
  let at = 0;
  let star = -1;
  let resume = 0;
  let from = 0;
  while (from < name.length) {
    if (pattern[at] === "*") {
      star = at++;
      resume = from;
    } else if (at < pattern.length && (pattern[at] === "?" || pattern[at] === name[from])) {
      at++;
      from++;
    } else if (star >= 0) {
      at = star + 1;
      from = ++resume;
    } else {
      return false;
    }
  }
  return /^\**$/.test(pattern.slice(at));
}
