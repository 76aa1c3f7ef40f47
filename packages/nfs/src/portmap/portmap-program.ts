import type { RpcProcedure, RpcProgram } from "../rpc/rpc-program.ts";

/** Program 100000, version 2 (RFC 1833, section 3). */
export const PORTMAP_PROGRAM = 100_000;
export const PORTMAP_VERSION = 2;
const [SET, UNSET, GETPORT, DUMP] = [1, 2, 3, 4];
const TCP = 6;

/** A program and where it listens. */
export interface MappedProgram {
  readonly program: number;
  readonly version: number;
  readonly port: number;
}

/** Tells clients the port of each program, for those that are not told it. Registers nothing else. */
export function portmapProgram(mapped: readonly MappedProgram[]): RpcProgram {
  return {
    program: PORTMAP_PROGRAM,
    version: PORTMAP_VERSION,
    procedures: new Map<number, RpcProcedure>([
      [SET, (_, results) => void results.bool(false)],
      [UNSET, (_, results) => void results.bool(false)],
      [
        GETPORT,
        (args, results) => {
          const [program, version, protocol] = [args.uint32(), args.uint32(), args.uint32()];
          const found = mapped.find((one) => one.program === program && one.version === version);
          results.uint32(found === undefined || protocol !== TCP ? 0 : found.port);
        },
      ],
      [
        DUMP,
        (_, results) => {
          for (const { program, version, port } of mapped) {
            results.bool(true).uint32(program).uint32(version).uint32(TCP).uint32(port);
          }
          results.bool(false);
        },
      ],
    ]),
  };
}
