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

/** The text of `dom_md/metadata` of an export domain, format v1. `poolId`: the data centre that uses it. */
export function writeDomainMetadata(
  { id, name, address, path }: Pick<ExportDomainState, "id" | "name" | "address" | "path">,
  poolId: string | undefined,
): string {
  const lines = [
    "CLASS=Backup",
    `DESCRIPTION=${name}`,
    "IOOPTIMEOUTSEC=1",
    "LEASERETRIES=3",
    "LEASETIMESEC=5",
    "LOCKPOLICY=",
    "LOCKRENEWALINTERVALSEC=5",
    `POOL_UUID=${poolId ?? ""}`,
    `REMOTE_PATH=${address}:${path}`,
    "ROLE=Regular",
    `SDUUID=${id}`,
    "TYPE=NFS",
    "VERSION=0",
  ];
  return sealed(lines);
}

/** The text of these lines with their checksum. */
export function sealed(lines: readonly string[]): string {
  const written = lines.map(withReferences);
  return [...written, `${CHECKSUM}=${checksumOf(written)}`, ""].join("\n");
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
