import type { DiskSource } from "@ovault/contract";
import { NbdSource, RawFileSource } from "@ovault/disk-image";
import { parseNbdUri } from "@ovault/nbd";

/** A disk that is read in full; whoever opens it closes it. */
export type OpenImage = DiskSource & { close(): Promise<void> };

/** @param source a raw file, or an NBD URI */
export function openImage(source: string, diskId: string, signal: AbortSignal): Promise<OpenImage> {
  if (!source.startsWith("nbd")) return RawFileSource.open(source, { diskId });
  const { address, exportName } = parseNbdUri(source);
  return NbdSource.open({ address, exportName, diskId, signal });
}
