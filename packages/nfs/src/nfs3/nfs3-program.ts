import type { RpcProcedure, RpcProgram } from "../rpc/rpc-program.ts";
import {
  commit,
  create,
  link,
  makeDirectory,
  makeLink,
  makeNode,
  remove,
  removeDirectory,
  rename,
  setAttributes,
  write,
} from "./changing.ts";
import { list, listWithAttributes } from "./listing.ts";
import type { Nfs3Context } from "./nfs3-context.ts";
import { rpcProcedure, type Nfs3Procedure } from "./procedure.ts";
import {
  access,
  fileSystemInfo,
  fileSystemSpace,
  getAttributes,
  lookup,
  pathLimits,
  read,
  readLink,
} from "./reading.ts";

/** Program 100003, version 3 (RFC 1813). */
export const NFS_PROGRAM = 100_003;
export const NFS_VERSION = 3;
/** Creating and removing names, and changing attributes: a second time they would fail, or undo what came between. */
const NOT_TWICE: ReadonlySet<number> = new Set([2, 8, 9, 10, 11, 12, 13, 14, 15]);

/** All procedures of NFSv3, on one file system or several. */
export function nfs3Program(contexts: readonly [Nfs3Context, ...Nfs3Context[]]): RpcProgram {
  const of = <Call>(procedure: Nfs3Procedure<Call>): RpcProcedure => rpcProcedure(procedure, contexts);
  const procedures = new Map<number, RpcProcedure>([
    [1, of(getAttributes)],
    [2, of(setAttributes)],
    [3, of(lookup)],
    [4, of(access)],
    [5, of(readLink)],
    [6, of(read)],
    [7, of(write)],
    [8, of(create)],
    [9, of(makeDirectory)],
    [10, of(makeLink)],
    [11, of(makeNode)],
    [12, of(remove)],
    [13, of(removeDirectory)],
    [14, of(rename)],
    [15, of(link)],
    [16, of(list)],
    [17, of(listWithAttributes)],
    [18, of(fileSystemSpace)],
    [19, of(fileSystemInfo)],
    [20, of(pathLimits)],
    [21, of(commit)],
  ]);
  return { program: NFS_PROGRAM, version: NFS_VERSION, procedures, notTwice: NOT_TWICE };
}
