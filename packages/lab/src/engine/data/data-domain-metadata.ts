import type { DataDomainState, StorageFormat } from "../engine-state.ts";
import { writeMetadata } from "../export/domain-metadata.ts";

/** The text of `dom_md/metadata` of a data domain. `poolId`: the data centre that uses it. */
export function writeDataDomainMetadata(
  domain: Pick<DataDomainState, "id" | "name" | "address" | "path" | "format">,
  poolId: string | undefined,
): string {
  const version = versionOf(domain.format);
  const additional = version >= 5 ? ["ALIGNMENT=1048576", "BLOCK_SIZE=512"] : [];
  const timings = { ioTimeoutSeconds: 10, leaseSeconds: 60 };
  return writeMetadata({ ...domain, ...timings, domainClass: "Data", version, poolId, additional });
}

export function versionOf(format: StorageFormat): number {
  return Number(format.slice(1));
}

/** Undefined for one that the lab does not know. */
export function formatOf(version: number): StorageFormat | undefined {
  return version === 3 || version === 4 || version === 5 ? `v${version}` : undefined;
}
