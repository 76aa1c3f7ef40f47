/**
 * Runs a command that backs up a disk, as a separate process, and prints how long it took to request the first byte:
 *
 *     first-byte.ts SOCKET COMMAND…
 *
 * The disk is an NBD export at SOCKET, of 1 MiB.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { rm } from "node:fs/promises";

import { NbdServer } from "@ovault/nbd";

const [path = "", program = "", ...args] = process.argv.slice(2);
let firstReadAt: number | undefined;
await rm(path, { force: true });
const disk = {
  logicalBytes: 2 ** 20,
  readOnly: true,
  async readInto(_: number, buffer: Uint8Array): Promise<void> {
    firstReadAt ??= performance.now();
    buffer.fill(1);
  },
};
await using _server = await NbdServer.listen({ path }, { exports: new Map([["", disk]]) });
const startedAt = performance.now();
const [code] = await once(spawn(program, args, { stdio: ["ignore", "ignore", "inherit"] }), "exit");
if (code !== 0 || firstReadAt === undefined) throw new Error(`${program} ended with ${code}, or without a read`);
process.stdout.write(`${JSON.stringify({ figures: { "s to the first byte": (firstReadAt - startedAt) / 1000 } })}\n`);
