import { randomBytes } from "node:crypto";
import { join } from "node:path";

import * as fc from "fast-check";
import { expect, test } from "vitest";

import { CancelledError } from "@ovault/contract";
import { scopedDirectory } from "@ovault/test-support/scoped-directory";

import { BASE_ALLOCATION, NbdClient, NbdRequestError, NbdServer, type NbdExport } from "../src/index.ts";
import { MemoryExport } from "./memory-export.ts";

const { signal } = new AbortController();

interface Step {
  readonly action: "write" | "zero" | "trim" | "read";
  readonly offset: number;
  readonly length: number;
  readonly fill: number;
}

function steps(size: number): fc.Arbitrary<Step[]> {
  const step = fc
    .record({
      action: fc.constantFrom("write", "zero", "trim", "read"),
      from: fc.nat(size),
      to: fc.nat(size),
      fill: fc.integer({ min: 1, max: 255 }),
    })
    .map(({ action, from, to, fill }): Step => {
      return { action, offset: Math.min(from, to), length: Math.abs(to - from), fill };
    });
  return fc.array(step, { maxLength: 20 });
}

test("any sequence of writes, zeroes, trims and reads behaves like a buffer", async () => {
  await using directory = await scopedDirectory();
  const path = join(directory.path, "nbd.sock");
  const exports = new Map<string, MemoryExport>();
  await using _server = await NbdServer.listen({ path }, { exports });
  const disk = fc.integer({ min: 1, max: 200_000 }).chain((size) => fc.tuple(fc.constant(size), steps(size)));
  await fc.assert(
    fc.asyncProperty(disk, async ([size, sequence]) => {
      const served = new MemoryExport(Buffer.alloc(size));
      exports.set("disk", served);
      const model = Buffer.alloc(size);
      const reads: { seen: Buffer; expected: Buffer }[] = [];
      const contexts = [BASE_ALLOCATION];
      await using client = await NbdClient.connect({ address: { path }, exportName: "disk", contexts, signal });
      for (const { action, offset, length, fill } of sequence) {
        if (action === "write") {
          await client.write(offset, Buffer.alloc(length, fill), {}, signal);
          model.fill(fill, offset, offset + length);
        } else if (action === "read") {
          const seen = Buffer.alloc(length);
          await client.readInto(offset, seen, signal);
          reads.push({ seen, expected: Buffer.from(model.subarray(offset, offset + length)) });
        } else {
          await (action === "zero"
            ? client.writeZeroes(offset, length, { mayTrim: true }, signal)
            : client.trim(offset, length, signal));
          model.fill(0, offset, offset + length);
        }
      }
      expect(reads.every(({ seen, expected }) => seen.equals(expected))).toBe(true);
      expect(served.bytes.equals(model)).toBe(true);
      const extents = await Array.fromAsync(client.allocation(BASE_ALLOCATION, signal));
      expect(extents.reduce((position, { offset, length }) => (offset === position ? position + length : -1), 0)).toBe(
        size,
      );
    }),
    { numRuns: 60 },
  );
});

/** Reads wait until they are let go, in the order the test wants. */
class HeldExport implements NbdExport {
  readonly logicalBytes = 2 ** 20;
  readonly readOnly = false;
  readonly held: (() => void)[] = [];

  async readInto(offset: number, buffer: Uint8Array): Promise<void> {
    await new Promise<void>((resolve) => this.held.push(resolve));
    buffer.fill(offset / 4096 + 1);
  }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

test("replies find their requests in whatever order they come, and an aborted one harms no other", async () => {
  await using directory = await scopedDirectory();
  const path = join(directory.path, "nbd.sock");
  const served = new HeldExport();
  await using _server = await NbdServer.listen({ path }, { exports: new Map([["", served]]) });
  await using client = await NbdClient.connect({ address: { path }, exportName: "", signal });
  const lanes = 6;
  await fc.assert(
    fc.asyncProperty(
      fc.shuffledSubarray([...Array(lanes).keys()], { minLength: lanes }),
      fc.subarray([...Array(lanes).keys()]),
      async (order, abortedLanes) => {
        served.held.length = 0;
        const buffers = Array.from({ length: lanes }, () => Buffer.alloc(4096));
        const controllers = buffers.map(() => new AbortController());
        const reads = Promise.allSettled(
          buffers.map((buffer, lane) => client.readInto(lane * 4096, buffer, controllers[lane]?.signal ?? signal)),
        );
        await until(() => served.held.length === lanes);
        for (const lane of abortedLanes) controllers[lane]?.abort(new CancelledError("enough"));
        for (const index of order) served.held[index]?.();
        const results = await reads;
        const fates = results.map((result) => (result.status === "rejected" ? result.reason : "read"));
        const cancelled = expect.objectContaining({ code: "E_CANCELLED" });
        expect(fates).toEqual(buffers.map((_, lane) => (abortedLanes.includes(lane) ? cancelled : "read")));
        // The buffer of an aborted read stays as it was.
        const fills = buffers.map((_, lane) => Buffer.alloc(4096, abortedLanes.includes(lane) ? 0 : lane + 1));
        expect(Buffer.concat(buffers).equals(Buffer.concat(fills))).toBe(true);
      },
    ),
    { numRuns: 50 },
  );
});

test("an aborted write settles and the bytes of the next one arrive", async () => {
  await using directory = await scopedDirectory();
  const path = join(directory.path, "nbd.sock");
  const served = new MemoryExport(Buffer.alloc(2 ** 23));
  await using _server = await NbdServer.listen({ path }, { exports: new Map([["", served]]) });
  await using client = await NbdClient.connect({ address: { path }, exportName: "", signal });
  const controller = new AbortController();
  const cancelled = client.write(0, Buffer.alloc(2 ** 22, 1), {}, controller.signal);
  controller.abort(new CancelledError("enough"));
  await expect(cancelled).rejects.toMatchObject({ code: "E_CANCELLED" });
  const data = randomBytes(2 ** 22);
  await client.write(2 ** 22, data, {}, signal);
  expect(served.bytes.subarray(2 ** 22).equals(data)).toBe(true);
});

test("no more bytes are under way on a connection than its budget allows", async () => {
  await using directory = await scopedDirectory();
  const path = join(directory.path, "nbd.sock");
  const mebibyte = 2 ** 20;
  let bytesUnderWay = 0;
  let most = 0;
  const served: NbdExport = {
    logicalBytes: 64 * mebibyte,
    readOnly: true,
    async readInto(_offset, buffer) {
      bytesUnderWay += buffer.length;
      most = Math.max(most, bytesUnderWay);
      await new Promise((resolve) => setImmediate(resolve));
      bytesUnderWay -= buffer.length;
    },
  };
  const options = { exports: new Map([["", served]]), connectionBudgetBytes: 4 * mebibyte };
  await using _server = await NbdServer.listen({ path }, options);
  await using client = await NbdClient.connect({ address: { path }, exportName: "", signal });
  const lanes = Array.from({ length: 64 }, (_, index) => index);
  await Promise.all(lanes.map((lane) => client.readInto(lane * mebibyte, Buffer.alloc(mebibyte), signal)));
  expect(most).toBeLessThanOrEqual(4 * mebibyte);
});

test("an export's error reaches the client with its errno and its words, and the connection goes on", async () => {
  await using directory = await scopedDirectory();
  const path = join(directory.path, "nbd.sock");
  const failures = [
    new NbdRequestError("ENOSPC", "the volume is full"),
    Object.assign(new Error("disk quota exceeded"), { code: "EDQUOT" }),
    new Error("the cable fell out"),
  ];
  const served: NbdExport = {
    logicalBytes: 4096,
    readOnly: false,
    readInto: async (_offset, buffer) => void buffer.fill(7),
    write: async (offset) => Promise.reject(failures[offset]),
  };
  await using _server = await NbdServer.listen({ path }, { exports: new Map([["", served]]) });
  await using client = await NbdClient.connect({ address: { path }, exportName: "", signal });
  for (const [offset, errno] of ["ENOSPC", "ENOSPC", "EIO"].entries()) {
    await expect(client.write(offset, Buffer.alloc(1), {}, signal)).rejects.toMatchObject({
      errno,
      code: "E_NBD_REQUEST",
      message: expect.stringContaining(failures[offset]?.message ?? "?"),
    });
  }
  const seen = Buffer.alloc(2);
  await client.readInto(0, seen, signal);
  expect([...seen]).toEqual([7, 7]);
});

test("closing the server ends its clients and waits until exports are quiet", async () => {
  await using directory = await scopedDirectory();
  const path = join(directory.path, "nbd.sock");
  let quiet = true;
  const served: NbdExport = {
    logicalBytes: 4096,
    readOnly: true,
    async readInto(_offset, _buffer, gone) {
      quiet = false;
      await new Promise((resolve) => gone.addEventListener("abort", resolve));
      await new Promise((resolve) => setImmediate(resolve));
      quiet = true;
    },
  };
  const server = await NbdServer.listen({ path }, { exports: new Map([["", served]]) });
  await using client = await NbdClient.connect({ address: { path }, exportName: "", signal });
  const reading = client.readInto(0, Buffer.alloc(512), signal);
  const failure = reading.catch((error: unknown) => error);
  await until(() => !quiet);
  await server.close();
  expect(quiet).toBe(true);
  expect(await failure).toMatchObject({ code: "E_NBD_CONNECTION", retry: "transient" });
});

test("closing a client rejects what is under way and what comes after", async () => {
  await using directory = await scopedDirectory();
  const path = join(directory.path, "nbd.sock");
  const served = new HeldExport();
  await using _server = await NbdServer.listen({ path }, { exports: new Map([["", served]]) });
  const client = await NbdClient.connect({ address: { path }, exportName: "", signal });
  const reading = client.readInto(0, Buffer.alloc(512), signal);
  const failure = reading.catch((error: unknown) => error);
  await until(() => served.held.length === 1);
  const closed = client.close();
  expect(await failure).toMatchObject({ code: "E_NBD_CONNECTION", retry: "never" });
  await expect(client.readInto(0, Buffer.alloc(512), signal)).rejects.toMatchObject({ code: "E_NBD_CONNECTION" });
  served.held[0]?.();
  await closed;
});
