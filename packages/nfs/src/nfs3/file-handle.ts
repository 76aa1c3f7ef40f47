import type { FileId } from "../nfs-file-system.ts";
import type { XdrReader } from "../xdr/xdr-reader.ts";
import type { XdrWriter } from "../xdr/xdr-writer.ts";
import { NfsStatusError } from "./status.ts";

const MOST_BYTES = 64;
const HANDLE_BYTES = 24;

/** Turns ids into the handles that clients keep, also over a restart of the server. */
export class FileHandles {
  readonly #fileSystemId: bigint;

  constructor(fileSystemId: bigint) {
    this.#fileSystemId = fileSystemId;
  }

  encode({ number, generation }: FileId): Buffer {
    const handle = Buffer.alloc(HANDLE_BYTES);
    handle.writeBigUInt64BE(this.#fileSystemId, 0);
    handle.writeBigUInt64BE(number, 8);
    handle.writeBigUInt64BE(generation, 16);
    return handle;
  }

  write(results: XdrWriter, id: FileId): XdrWriter {
    return results.opaque(this.encode(id));
  }

  /** True when what follows is a handle of this file system. Reads nothing. */
  isNext(args: XdrReader): boolean {
    const rest = args.rest();
    return rest.length >= 12 && rest.readUInt32BE(0) === HANDLE_BYTES && rest.readBigUInt64BE(4) === this.#fileSystemId;
  }

  /** @throws NfsStatusError when it is of another file system, or was never one of ours */
  read(args: XdrReader): FileId {
    const handle = args.opaque(MOST_BYTES);
    if (handle.length !== HANDLE_BYTES) throw new NfsStatusError("badHandle");
    if (handle.readBigUInt64BE(0) !== this.#fileSystemId) throw new NfsStatusError("stale");
    return { number: handle.readBigUInt64BE(8), generation: handle.readBigUInt64BE(16) };
  }
}
