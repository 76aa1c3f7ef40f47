import { ConfigurationError, readSettingsFile, systemErrorCode } from "@ovault/contract";

import { type HostKeyError, SshError } from "./errors.ts";
import { fingerprintOf, hasFingerprint, keyType } from "./host-key.ts";
import { keyHasChanged, keyIsRevoked, keyIsUnknown, pinnedKeyDiffers, recordDiffers } from "./host-key-error.ts";
import { knownHostName, knownKeys, publicKeys } from "./known-hosts.ts";

/** With room for some ten thousand servers with several keys each. */
export const KNOWN_HOSTS_FILE = { what: "the file of known hosts", mostBytes: 16 * 1024 * 1024 };

/** The keys that a server may prove itself with. */
export interface HostTrust {
  /**
   * Types of its known keys. The server may have others too, so the client requests these first. Undefined where only a
   * fingerprint is known, which may be of any type.
   */
  readonly types: readonly string[] | undefined;
  /** Why a server with this key must be refused; undefined when it is trusted. */
  refusal(key: Buffer): HostKeyError | undefined;
}

export interface ServerName {
  readonly host: string;
  readonly port: number;
}

/** Trusts the one key that has this fingerprint. */
export function trustFingerprint(server: ServerName, fingerprint: string): HostTrust {
  return {
    types: undefined,
    refusal(key) {
      const seen = { ...server, type: keyType(key), fingerprint: fingerprintOf(key) };
      return hasFingerprint(key, fingerprint) ? undefined : pinnedKeyDiffers(seen, fingerprint);
    },
  };
}

/** What another system knows of a server's key, such as the engine of its hosts. */
export interface RecordedKey {
  /** For people: what vouches for the key, as in `the engine's record of kvm1`. */
  readonly by: string;
  /** For people: how the record gets a new key of the server. */
  readonly renewal?: string;
  /** `SHA256:…`, or an MD5 of old systems with colons: `MD5:…` or without the prefix. */
  readonly fingerprint?: string | undefined;
  /** As in a line of known_hosts, with or without the names: `ssh-ed25519 AAAA…`. Decides alone where it is given. */
  readonly publicKey?: string | undefined;
}

/** Trusts exactly the key of the record. */
export function trustRecord(server: ServerName, record: RecordedKey): HostTrust {
  const keys = publicKeys(record.publicKey ?? "");
  const fingerprint = record.fingerprint?.trim() ?? "";
  const expected = keys.length > 0 ? keys.map(fingerprintOf).join(" or ") : fingerprint;
  return {
    types: keys.length > 0 ? [...new Set(keys.map(keyType))] : undefined,
    refusal(key) {
      const isKnown = keys.length > 0 ? keys.some((known) => known.equals(key)) : hasFingerprint(key, fingerprint);
      if (isKnown) return undefined;
      const seen = { ...server, type: keyType(key), fingerprint: fingerprintOf(key) };
      return recordDiffers(seen, expected, record);
    },
  };
}

/**
 * Trusts the keys that a known_hosts file has for the server. If it has none for `[host]:port`, those for the bare name
 * count too, as with ssh. A missing file knows no server.
 * @throws SshError when the file cannot be read, is too large, is not UTF-8, or every user may write to it
 */
export async function trustKnownHosts(server: ServerName, file: string): Promise<HostTrust> {
  const text = await readKnownHosts(file);
  const name = knownHostName(server.host, server.port);
  const exact = knownKeys(text, name);
  const bare = knownKeys(text, knownHostName(server.host, 22));
  const keys = exact.keys.length > 0 ? exact.keys : bare.keys;
  const types = [...new Set(keys.map(keyType))];
  return {
    types,
    refusal(key) {
      const type = keyType(key);
      const seen = { ...server, type, fingerprint: fingerprintOf(key), file, name };
      if ([...exact.revoked, ...bare.revoked].some((known) => known.equals(key))) return keyIsRevoked(seen);
      if (keys.some((known) => known.equals(key))) return undefined;
      const former = exact.keys.filter((known) => keyType(known) === type);
      if (former.length > 0) return keyHasChanged(seen, former.map(fingerprintOf));
      if (keys.length > 0) return keyIsUnknown(seen, `has another key for it (${types.join(", ")})`);
      if (exact.authority || bare.authority)
        return keyIsUnknown(seen, "trusts certificates for it, which are not supported");
      return keyIsUnknown(seen, "does not have its key");
    },
  };
}

async function readKnownHosts(file: string): Promise<string> {
  try {
    return (await readSettingsFile(file, KNOWN_HOSTS_FILE)).text;
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    const { message, cause, context, hint } = error;
    if (systemErrorCode(cause) === "ENOENT") return "";
    throw new SshError(message, { cause: error, context, ...(hint !== undefined && { hint }) });
  }
}
