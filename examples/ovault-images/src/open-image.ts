import type { DiskSource } from "@ovault/contract";
import { NbdSource, RawFileSource } from "@ovault/disk-image";
import { parseNbdUri } from "@ovault/nbd";

/** A disk that is read in full. The caller closes it. */
export type OpenImage = DiskSource & { close(): Promise<void> };

/** @param source a raw file, or an NBD URI */
export function openImage(source: string, diskId: string, signal: AbortSignal): Promise<OpenImage> {
  if (!isExport(source)) return RawFileSource.open(source, { diskId });
  const { address, exportName } = parseNbdUri(source);
  return NbdSource.open({ address, exportName, diskId, signal });
}

/** Whether this is an NBD URI. */
export function isExport(source: string): boolean {
  return source.startsWith("nbd");
}
