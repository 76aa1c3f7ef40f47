import { expect, test } from "vitest";

import { RpcServer } from "../src/rpc/rpc-server.ts";
import { XdrWriter } from "../src/xdr/xdr-writer.ts";
import { callRecord, RpcClient } from "../src/client/rpc-client.ts";

const [PROGRAM, VERSION, PROCEDURE] = [400_000, 1, 1];
const REPLY = Buffer.alloc(2 ** 20);

test("clients that take no replies are hung up on when together they hold too much, and others are served", async () => {
  const server = await RpcServer.listen({
    host: "127.0.0.1",
    port: 0,
    allow: ["127.0.0.1"],
    programs: [
      {
        program: PROGRAM,
        version: VERSION,
        procedures: new Map([[PROCEDURE, (_, results) => void results.lent(REPLY)]]),
      },
    ],
    mostRecordBytes: 4096,
    mostHeldBytes: 150 * 2 ** 20,
    onError: () => {},
  });
  const slow = await Promise.all(
    Array.from({ length: 6 }, () => RpcClient.connect({ host: "127.0.0.1", port: server.port })),
  );
  for (const client of slow) {
    client.socket.pause();
    for (let xid = 1; xid <= 60; xid++) {
      client.send(callRecord({ xid, program: PROGRAM, version: VERSION, procedure: PROCEDURE, args: new XdrWriter() }));
    }
  }
  await new Promise((resolve) => setTimeout(resolve, 300));
  await using fast = await RpcClient.connect({ host: "127.0.0.1", port: server.port });
  for (let count = 0; count < 50; count++) {
    const reply = await fast.call(PROGRAM, VERSION, PROCEDURE);
    expect(reply.opaque(REPLY.length).length).toBe(REPLY.length);
  }
  // Those that were hung up on find out when they read.
  const ends = slow.map(async ({ socket }) => {
    socket.resume();
    return await new Promise((resolve) => {
      socket.once("close", () => resolve(true));
      setTimeout(() => resolve(false), 500);
    });
  });
  const hungUp = (await Promise.all(ends)).filter((isHungUp) => isHungUp === true).length;
  expect(hungUp).toBeGreaterThan(0);
  expect(hungUp).toBeLessThan(slow.length);
  await Promise.all(slow.map((client) => client[Symbol.asyncDispose]()));
  await server.close();
});
