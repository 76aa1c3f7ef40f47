import type { FileAttributes, FileId, NfsFileSystem } from "../nfs-file-system.ts";
import type { XdrWriter } from "../xdr/xdr-writer.ts";
import { writeAttributes } from "./attributes.ts";
import type { FileHandles } from "./file-handle.ts";
import type { Listings } from "./listings.ts";
import type { WriteBack } from "./write-back.ts";

/** What all procedures share. */
export interface Nfs3Context {
  readonly files: NfsFileSystem;
  readonly handles: FileHandles;
  readonly listings: Listings;
  readonly writeBack: WriteBack;
  readonly fileSystemId: bigint;
  /** Called for an error that is answered with `later` or `io`. */
  readonly onError: (error: unknown) => void;
}

/** `post_op_attr`: the attributes as they are now, or none. */
export async function writePresent(context: Nfs3Context, results: XdrWriter, id: FileId | undefined): Promise<void> {
  writeKnown(context, results, id && (await context.files.attributes(id).catch(() => undefined)));
}

export function writeKnown(
  { fileSystemId }: Nfs3Context,
  results: XdrWriter,
  attributes: FileAttributes | undefined,
): void {
  results.optional(attributes, (known) => writeAttributes(results, known, fileSystemId));
}

/** `wcc_data`. What was before a change is not told: clients then ask again, and a change costs one look less. */
export async function writeChanged(context: Nfs3Context, results: XdrWriter, id: FileId | undefined): Promise<void> {
  results.bool(false);
  await writePresent(context, results, id);
}
