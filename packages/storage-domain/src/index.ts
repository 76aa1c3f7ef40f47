export { Directory, type Ownership } from "./directory.ts";
export type { DomainMetadata } from "./domain-metadata.ts";
export { StorageDomainError } from "./errors.ts";
export { ExportDomain } from "./export-domain.ts";
export { FileDomain, type Owner, type Volume } from "./file-domain.ts";
export { NewImage, type NewVolume } from "./new-image.ts";
export { chainOf, openDisk } from "./open-disk.ts";
export { volumeLease } from "./volume-lease.ts";
export { formatVolumeMetadata, type VolumeMetadata } from "./volume-metadata.ts";
