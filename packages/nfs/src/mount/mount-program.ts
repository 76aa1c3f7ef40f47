import type { RpcProcedure, RpcProgram } from "../rpc/rpc-program.ts";
import type { XdrWriter } from "../xdr/xdr-writer.ts";

/** Program 100005, version 3 (RFC 1813, appendix I). */
export const MOUNT_PROGRAM = 100_005;
export const MOUNT_VERSION = 3;
const [MNT, DUMP, UMNT, UMNTALL, EXPORT] = [1, 2, 3, 4, 5];
const OK = 0;
const NOENT = 2;
const MOST_PATH_BYTES = 1024;
/** AUTH_NONE and AUTH_SYS: what the client says about its user has no effect. */
const FLAVORS = [0, 1];

/** A directory that is served. */
export interface Mountable {
  /** Path under which clients mount: `/exports/web01`. */
  readonly path: string;
  /** Handle of the root directory. */
  readonly rootHandle: Uint8Array;
}

/** Gives clients the handles of the directories that are served. */
export function mountProgram(served: readonly Mountable[]): RpcProgram {
  return {
    program: MOUNT_PROGRAM,
    version: MOUNT_VERSION,
    procedures: new Map<number, RpcProcedure>([
      [
        MNT,
        (args, results) => {
          const wanted = args.opaque(MOST_PATH_BYTES).toString();
          const found = served.find(({ path }) => withoutSlash(path) === withoutSlash(wanted));
          if (found === undefined) results.uint32(NOENT);
          else writeFlavors(results.uint32(OK).opaque(found.rootHandle));
        },
      ],
      [DUMP, (_, results) => void results.bool(false)],
      [UMNT, (args) => void args.opaque(MOST_PATH_BYTES)],
      [UMNTALL, () => {}],
      [
        EXPORT,
        (_, results) => {
          // Each for all groups.
          for (const { path } of served) results.bool(true).text(path).bool(false);
          results.bool(false);
        },
      ],
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
