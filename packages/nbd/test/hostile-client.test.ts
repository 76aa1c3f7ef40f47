import net from "node:net";
import { join } from "node:path";

import * as fc from "fast-check";
import { expect, test, vi } from "vitest";
import { scopedDirectory } from "@ovault/test-support/scoped-directory";

import { NbdClient, type NbdError, type NbdExport, NbdServer, type NbdServerOptions } from "../src/index.ts";
import { HANDSHAKE, MAGIC, OPTION } from "../src/protocol.ts";
import { uint32, wireString } from "../src/wire.ts";
import { makeCertificates } from "./certificates.ts";
import { MemoryExport } from "./memory-export.ts";

const { signal } = new AbortController();
const exports = new Map([["disk", new MemoryExport(Buffer.alloc(4096, 3))]]);

/** Says something, and resolves with what the server said until it hung up. */
function talk(path: string, ...parts: readonly Buffer[]): Promise<Buffer> {
  return new Promise((resolve) => {
    const socket = net.connect(path);
    const heard: Buffer[] = [];
    socket.on("data", (piece) => heard.push(piece));
    socket.on("error", () => {});
    socket.on("close", () => resolve(Buffer.concat(heard)));
    socket.write(Buffer.concat(parts));
  });
}

async function stillServes(path: string): Promise<void> {
  await using client = await NbdClient.connect({ address: { path }, exportName: "disk", signal });
  const seen = Buffer.alloc(4096);
  await client.readInto(0, seen, signal);
  expect(seen.every((byte) => byte === 3)).toBe(true);
}

async function withServer(
  options: Omit<NbdServerOptions, "exports">,
  act: (path: string, errors: NbdError[]) => Promise<void>,
): Promise<void> {
  await using directory = await scopedDirectory();
  const path = join(directory.path, "nbd.sock");
  const errors: NbdError[] = [];
  await using _server = await NbdServer.listen(
    { path },
    { ...options, exports, onClientError: (error) => errors.push(error) },
  );
  await act(path, errors);
}

const clientFlags = uint32(HANDSHAKE.fixedNewstyle | HANDSHAKE.noZeroes);
function option(id: number, data: Buffer = Buffer.alloc(0), length = data.length): Buffer {
  const header = Buffer.alloc(16);
  header.writeBigUInt64BE(MAGIC.option, 0);
  header.writeUInt32BE(id, 8);
  header.writeUInt32BE(length, 12);
  return Buffer.concat([header, data]);
}
function request(command: number, offset: bigint, length: number, magic: number = MAGIC.request): Buffer {
  const header = Buffer.alloc(28);
  header.writeUInt32BE(magic, 0);
  header.writeUInt16BE(command, 6);
  header.writeBigUInt64BE(offset, 16);
  header.writeUInt32BE(length, 24);
  return header;
}
const go = option(OPTION.go, Buffer.concat([wireString("disk"), Buffer.alloc(2)]));

test.each([
  ["unknown flags", [uint32(0xff)]],
  ["bad magic in an option", [clientFlags, Buffer.alloc(16, 1)]],
  ["an option of 4 GiB", [clientFlags, option(OPTION.go, Buffer.alloc(0), 0xffff_ffff)]],
  ["bad magic in a request", [clientFlags, go, request(0, 0n, 512, 1)]],
  ["a write of 4 GiB", [clientFlags, go, request(1, 0n, 0xffff_ffff)]],
  ["an offset of 2^63", [clientFlags, go, request(0, 2n ** 63n, 512)]],
])("%s: the server hangs up, says why, and serves others", async (_, parts) => {
  await withServer({}, async (path, errors) => {
    await talk(path, ...parts);
    expect(errors).toMatchObject([{ code: "E_NBD_PROTOCOL" }]);
    await stillServes(path);
  });
});

test("no garbage, wherever in the conversation it starts, harms the server", async () => {
  await withServer({}, async (path) => {
    const beginnings = fc.constantFrom([], [clientFlags], [clientFlags, option(OPTION.list)], [clientFlags, go]);
    await fc.assert(
      fc.asyncProperty(beginnings, fc.uint8Array({ minLength: 28, maxLength: 2000 }), async (beginning, garbage) => {
        const socket = net.connect(path);
        socket.on("error", () => {});
        const closed = new Promise((resolve) => socket.once("close", resolve));
        socket.resume();
        socket.end(Buffer.concat([...beginning, garbage]));
        await closed;
      }),
      { numRuns: 50 },
    );
    await stillServes(path);
  });
});

test("a client that says nothing is sent away", async () => {
  await withServer({ handshakeTimeoutMs: 50 }, async (path, errors) => {
    await talk(path);
    expect(errors).toMatchObject([{ code: "E_NBD_CONNECTION" }]);
  });
});

test("bytes sent in the clear right behind STARTTLS are not believed", async () => {
  await using directory = await scopedDirectory();
  const { cert, key } = await makeCertificates(directory.path);
  await withServer({ tls: { cert, key } }, async (path, errors) => {
    await talk(path, clientFlags, option(OPTION.startTls), go);
    expect(errors).toMatchObject([{ code: "E_NBD_PROTOCOL" }]);
  });
});

test("a client that takes no replies is disconnected, an idle one is not, and neither keeps much in memory", async () => {
  const MIB = 2 ** 20;
  const big = new MemoryExport(Buffer.alloc(32 * MIB, 3));
  let reads = 0;
  const counted: NbdExport = {
    logicalBytes: big.logicalBytes,
    readOnly: true,
    readInto: async (offset, buffer) => {
      reads += 1;
      await big.readInto(offset, buffer);
    },
  };
  await using directory = await scopedDirectory();
  const path = join(directory.path, "nbd.sock");
  const errors: NbdError[] = [];
  await using server = await NbdServer.listen(
    { path },
    {
      exports: new Map([["disk", counted]]),
      connectionBudgetBytes: 4 * MIB,
      stalledTimeoutMs: 500,
      onClientError: (error) => errors.push(error),
    },
  );
  await using idle = await NbdClient.connect({ address: { path }, exportName: "disk", signal });
  const greedy = net.connect(path);
  greedy.on("error", () => undefined);
  greedy.pause();
  greedy.write(Buffer.concat([clientFlags, go, ...Array.from({ length: 500 }, () => request(0, 0n, MIB))]));
  const stalled = expect.objectContaining({ message: expect.stringContaining("takes no replies") });
  await vi.waitFor(() => expect(errors).toEqual([stalled]), { timeout: 10_000 });
  expect(server.connections).toBe(1);
  // What the sockets hold, and the budget.
  expect(reads).toBeGreaterThan(0);
  expect(reads).toBeLessThan(20);
  await idle.readInto(0, Buffer.alloc(512), signal);
  greedy.destroy();
});

test("more connections than the server takes are closed at once, and there is room again when others end", async () => {
  await withServer({ maxConnections: 2 }, async (path) => {
    const connect = (): Promise<NbdClient> => NbdClient.connect({ address: { path }, exportName: "disk", signal });
    const first = await connect();
    await using _second = await connect();
    await expect(connect()).rejects.toMatchObject({ code: expect.stringMatching(/^E_NBD_/) });
    await first.close();
    await vi.waitFor(() => stillServes(path));
  });
});
