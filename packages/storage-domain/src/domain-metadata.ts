import { createHash } from "node:crypto";

import { StorageDomainError } from "./errors.ts";
import { countOf, parseKeyValues, requireValue, requireWord, type KeyValues } from "./key-values.ts";
import { requireUuid } from "./uuid.ts";

/** `dom_md/metadata` of a storage domain. */
export interface DomainMetadata {
  readonly id: string;
  /** `export` is `Backup` in the file; it has nothing to do with the engine's flag `backup`. */
  readonly class: "data" | "iso" | "export";
  /** Format of the domain: 0 to 5. */
  readonly version: number;
  /** Name of the domain in the engine that made it. */
  readonly description: string;
  /** `NFS`, `POSIXFS`, `GLUSTERFS`, `LOCALFS`, `ISCSI`, `FCP`. */
  readonly storageType: string;
  /** Ids of the data centers that it is attached to; empty when it is detached. */
  readonly poolIds: readonly string[];
  /** Size of its sectors. Before version 5, 512. */
  readonly blockBytes: number;
}

const CHECKSUM = "_SHA_CKSUM";
const CLASSES = { Data: "data", Iso: "iso", Backup: "export" } as const;
const LATEST_VERSION = 5;
const SECTOR_BYTES = 512;

/**
 * Parses `dom_md/metadata`. As vdsm, accepts a file without a checksum.
 * @throws StorageDomainError when the checksum is wrong, a key is missing, or the version is unknown
 */
export function parseDomainMetadata(text: string, title: string): DomainMetadata {
  const values = parseKeyValues(text, title);
  const sum = values.get(CHECKSUM);
  if (sum !== undefined && sum !== metadataChecksum(values)) {
    throw new StorageDomainError(`${title} does not match its checksum`, {
      hint: "A host would not use this domain either. If it was edited by hand, `_SHA_CKSUM` has to follow.",
    });
  }
  const version = countOf(values, "VERSION", title);
  if (version === undefined || version > LATEST_VERSION) {
    throw new StorageDomainError(`${title}: the format of this domain is not known`, {
      context: { version: values.get("VERSION")?.slice(0, 100) ?? null, known: LATEST_VERSION },
    });
  }
  return {
    id: requireUuid(requireValue(values, "SDUUID", title), `${title}: SDUUID`),
    class: requireWord(values, "CLASS", CLASSES, title),
    version,
    description: fromReferences(values.get("DESCRIPTION") ?? ""),
    storageType: requireValue(values, "TYPE", title),
    poolIds: (values.get("POOL_UUID") ?? "").split(",").filter((id) => id !== ""),
    blockBytes: countOf(values, "BLOCK_SIZE", title) ?? SECTOR_BYTES,
  };
}

/**
 * SHA-1 of all `KEY=VALUE` but the checksum's own, sorted, with nothing between them: vdsm's `persistent.py`. Texts
 * other than ASCII stand in the file as numeric references (`&#233;`).
 */
export function metadataChecksum(values: KeyValues): string {
  const lines = [...values].filter(([key]) => key !== CHECKSUM).map(([key, value]) => `${key}=${value}`);
  return createHash("sha1").update(lines.toSorted(byBytes).join("")).digest("hex");
}

function byBytes(one: string, other: string): number {
  return Buffer.compare(Buffer.from(one), Buffer.from(other));
}

function fromReferences(text: string): string {
  return text.replaceAll(/&#(\d{1,7});/g, (reference, digits: string) => {
    const code = Number(digits);
    return code <= 0x10ffff ? String.fromCodePoint(code) : reference;
  });
}
