import type { RpcProcedure, RpcProgram } from "../rpc/rpc-program.ts";
import type { XdrWriter } from "../xdr/xdr-writer.ts";

/** Program 100005, version 3 (RFC 1813, appendix I). */
export const MOUNT_PROGRAM = 100_005;
const VERSION = 3;
const [MNT, DUMP, UMNT, UMNTALL, EXPORT] = [1, 2, 3, 4, 5];
const OK = 0;
const NOENT = 2;
const MOST_PATH_BYTES = 1024;
/** AUTH_NONE and AUTH_SYS: what the client says about its user has no effect. */
const FLAVORS = [0, 1];

export interface MountOptions {
  /** Path under which clients mount: `/exports/web01`. */
  readonly path: string;
  /** Handle of the root directory. */
  readonly rootHandle: Uint8Array;
}

/** Gives clients the handle of the one directory that is served. */
export function mountProgram({ path, rootHandle }: MountOptions): RpcProgram {
  return {
    program: MOUNT_PROGRAM,
    version: VERSION,
    procedures: new Map<number, RpcProcedure>([
      [
        MNT,
        (args, results) => {
          const wanted = args.opaque(MOST_PATH_BYTES).toString();
          if (withoutSlash(wanted) !== withoutSlash(path)) results.uint32(NOENT);
          else writeFlavors(results.uint32(OK).opaque(rootHandle));
        },
      ],
      [DUMP, (_, results) => void results.bool(false)],
      [UMNT, (args) => void args.opaque(MOST_PATH_BYTES)],
      [UMNTALL, () => {}],
      // One export, for all groups, and no more.
      [EXPORT, (_, results) => void results.bool(true).text(path).bool(false).bool(false)],
    ]),
  };
}

function writeFlavors(results: XdrWriter): void {
  results.uint32(FLAVORS.length);
  for (const flavor of FLAVORS) results.uint32(flavor);
}

function withoutSlash(path: string): string {
  return path.replace(/\/+$/, "");
}
