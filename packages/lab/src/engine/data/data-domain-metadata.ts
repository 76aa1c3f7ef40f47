import type { DataDomainState, StorageFormat } from "../engine-state.ts";
import { sealed } from "../export/domain-metadata.ts";

/** The text of `dom_md/metadata` of a data domain. `poolId`: the data centre that uses it. */
export function writeDataDomainMetadata(
  { id, name, address, path, format }: Pick<DataDomainState, "id" | "name" | "address" | "path" | "format">,
  poolId: string | undefined,
): string {
  const version = versionOf(format);
  const sizes = version >= 5 ? ["ALIGNMENT=1048576", "BLOCK_SIZE=512"] : [];
  return sealed([
    ...sizes,
    "CLASS=Data",
    `DESCRIPTION=${name}`,
    "IOOPTIMEOUTSEC=10",
    "LEASERETRIES=3",
    "LEASETIMESEC=60",
    "LOCKPOLICY=",
    "LOCKRENEWALINTERVALSEC=5",
    `POOL_UUID=${poolId ?? ""}`,
    `REMOTE_PATH=${address}:${path}`,
    "ROLE=Regular",
    `SDUUID=${id}`,
    "TYPE=NFS",
    `VERSION=${version}`,
  ]);
}

export function versionOf(format: StorageFormat): number {
  return Number(format.slice(1));
}

/** Undefined for one that the lab does not know. */
export function formatOf(version: number): StorageFormat | undefined {
  return version === 3 || version === 4 || version === 5 ? `v${version}` : undefined;
}
