import { createHash } from "node:crypto";

import { conflict } from "../engine-fault.ts";
import type { ExportDomainState } from "../engine-state.ts";

/** What `dom_md/metadata` says of a storage domain. */
export interface DomainMetadata {
  readonly id: string;
  readonly name: string;
  /** `Backup`: an export domain. */
  readonly domainClass: string;
  /** Ids of the data centres that use it. */
  readonly poolIds: readonly string[];
  /** Of the format: 5 is `v5`. */
  readonly version: number;
}

const CHECKSUM = "_SHA_CKSUM";

export interface NewDomainMetadata extends Pick<ExportDomainState, "id" | "name" | "address" | "path"> {
  readonly domainClass: "Backup" | "Data";
  readonly version: number;
  /** Ids of the data centre that uses it. */
  readonly poolId: string | undefined;
  readonly ioTimeoutSeconds: number;
  readonly leaseSeconds: number;
  /** Lines of this version alone. */
  readonly additional?: readonly string[];
}

/** The text of `dom_md/metadata` with its checksum, as hosts write it for a domain on an NFS export. */
export function writeMetadata(domain: NewDomainMetadata): string {
  const { id, name, address, path, domainClass, version, poolId, ioTimeoutSeconds, leaseSeconds } = domain;
  const written = [
    ...(domain.additional ?? []),
    `CLASS=${domainClass}`,
    `DESCRIPTION=${name}`,
    `IOOPTIMEOUTSEC=${ioTimeoutSeconds}`,
    "LEASERETRIES=3",
    `LEASETIMESEC=${leaseSeconds}`,
    "LOCKPOLICY=",
    "LOCKRENEWALINTERVALSEC=5",
    `POOL_UUID=${poolId ?? ""}`,
    `REMOTE_PATH=${address}:${path}`,
    "ROLE=Regular",
    `SDUUID=${id}`,
    "TYPE=NFS",
    `VERSION=${version}`,
  ].map(withReferences);
  return [...written, `${CHECKSUM}=${checksumOf(written)}`, ""].join("\n");
}

/** Of an export domain, format v1. `poolId`: the data centre that uses it. */
export function writeDomainMetadata(
  domain: Pick<ExportDomainState, "id" | "name" | "address" | "path">,
  poolId: string | undefined,
): string {
  const timings = { ioTimeoutSeconds: 1, leaseSeconds: 5 };
  return writeMetadata({ ...domain, ...timings, domainClass: "Backup", version: 0, poolId });
}

/** Reads the text as a host does. @throws EngineFault 409 for a wrong checksum */
export function readDomainMetadata(text: string): DomainMetadata {
  const lines = text.split("\n").filter((line) => line !== "");
  const values = new Map(lines.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]));
  const written = values.get(CHECKSUM);
  const computed = checksumOf(lines.filter((line) => !line.startsWith(`${CHECKSUM}=`)));
  if (written !== undefined && written !== computed) {
    throw conflict(
      `Cannot use Storage Domain. Meta Data seal is broken (checksum mismatch): 'cksum = ${written}, computed_cksum = ${computed}'`,
    );
  }
  return {
    id: values.get("SDUUID") ?? "",
    name: values.get("DESCRIPTION") ?? "",
    domainClass: values.get("CLASS") ?? "",
    poolIds: (values.get("POOL_UUID") ?? "").split(",").filter((id) => id !== ""),
    version: Number(values.get("VERSION") ?? 0),
  };
}

/** SHA-1 of the sorted lines without anything between them, as vdsm computes it. */
function checksumOf(lines: readonly string[]): string {
  return createHash("sha1").update(lines.toSorted().join("")).digest("hex");
}

/** Other than ASCII as numeric references of XML. */
function withReferences(line: string): string {
  return line.replaceAll(/\P{ASCII}/gu, (character) => `&#${character.codePointAt(0)};`);
}
