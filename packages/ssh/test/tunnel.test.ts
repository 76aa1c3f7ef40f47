import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { dirname, join } from "node:path";
import { buffer } from "node:stream/consumers";

import { afterAll, describe, expect, onTestFinished, test } from "vitest";

import { openTunnel } from "@ovault/ssh";
import { OpenSshServer } from "@ovault/test-support/open-ssh-server";
import { until } from "@ovault/test-support/until";

import { openSession, startServer } from "./support/bench.ts";

const signal = new AbortController().signal;
const server = await OpenSshServer.start();
afterAll(() => server.stop());
const session = await openSession(server);
afterAll(() => session.close());

/** A server behind a unix socket that answers all it got, in reverse, when the other side has ended. */
async function reverser(on: OpenSshServer = server): Promise<string> {
  const path = join(await on.newDirectory(), "socket");
  const listener = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => undefined);
    void buffer(socket).then((bytes) => socket.end(Uint8Array.from(bytes).toReversed()));
  });
  listener.listen(path);
  await once(listener, "listening");
  onTestFinished(() => void listener.close());
  return path;
}

async function ask(path: string, bytes: Buffer): Promise<Buffer> {
  const socket: Socket = connect({ path, allowHalfOpen: true });
  socket.end(bytes);
  return await buffer(socket);
}

describe("a tunnel", () => {
  test("carries any number of connections, in both directions, to their ends", async () => {
    const tunnel = await openTunnel(session, await reverser(), { signal });
    const sent = Array.from({ length: 8 }, (_, index) => randomBytes(index * 300_000));
    const received = await Promise.all(sent.map((bytes) => ask(tunnel.address.path, bytes)));
    expect(received.map(digest)).toEqual(sent.map((bytes) => digest(Uint8Array.from(bytes).toReversed())));
    await tunnel.close();
    expect(existsSync(dirname(tunnel.address.path))).toBe(false);
  });

  test("ends with its connections when it is closed", async () => {
    const tunnel = await openTunnel(session, await reverser(), { signal });
    const socket = connect(tunnel.address.path);
    await once(socket, "connect");
    const closed = once(socket, "close");
    socket.on("error", () => undefined);
    await tunnel.close();
    await closed;
    expect(await tunnel.ended).toBe("ovault ended it");
  });

  test("ends when the server goes, and leaves nothing here", async () => {
    const rebooting = await startServer({});
    await using on = await openSession(rebooting);
    const tunnel = await openTunnel(on, await reverser(rebooting), { signal });
    await rebooting.kill();
    expect(await tunnel.ended).not.toBe("");
    await until("the directory is gone", () => !existsSync(dirname(tunnel.address.path)));
  });

  test("to a socket that is not there is an error", async () => {
    await expect(openTunnel(session, "/nonexistent/socket", { signal })).rejects.toMatchObject({
      code: "E_SSH_TUNNEL",
      message: expect.stringContaining("/nonexistent/socket"),
    });
  });
});

function digest(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
