import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { connect } from "node:net";
import { dirname } from "node:path";

import { afterAll, describe, expect, test } from "vitest";

import { type Carrier, openTunnel } from "@ovault/ssh";
import { OpenSshServer } from "@ovault/test-support/open-ssh-server";
import { until } from "@ovault/test-support/until";

import { openSession, startServer } from "./support/bench.ts";
import { askReverser, startReverser } from "./support/reverser.ts";

const signal = new AbortController().signal;
const server = await OpenSshServer.start();
afterAll(() => server.stop());
const session = await openSession(server);
afterAll(() => session.close());

const CARRIERS: readonly Carrier[] = ["openssh", "ssh2", "bridge"];

describe.each(CARRIERS)("a tunnel by %s", (carrier) => {
  const options = { signal, carriers: [carrier] };

  test("carries any number of connections, in both directions, to their ends", async () => {
    const tunnel = await openTunnel(session, await startReverser(server), options);
    const sent = Array.from({ length: 8 }, (_, index) => randomBytes(index * 300_000));
    const received = await Promise.all(sent.map((bytes) => askReverser(tunnel.address.path, bytes)));
    expect(received.map(digest)).toEqual(sent.map((bytes) => digest(Uint8Array.from(bytes).toReversed())));
    await tunnel.close();
    expect(existsSync(dirname(tunnel.address.path))).toBe(false);
  });

  test("ends with its connections when it is closed", async () => {
    const tunnel = await openTunnel(session, await startReverser(server), options);
    const socket = connect(tunnel.address.path);
    await once(socket, "connect");
    socket.on("error", () => undefined);
    const closed = new Promise((resolve) => socket.once("close", resolve));
    await tunnel.close();
    await closed;
    expect(await tunnel.ended).toBe("ovault ended it");
  });

  test("ends when the server goes, and leaves nothing here", async () => {
    const rebooting = await startServer({});
    await using on = await openSession(rebooting);
    const tunnel = await openTunnel(on, await startReverser(rebooting), options);
    await rebooting.kill();
    expect(await tunnel.ended).not.toBe("");
    await until("the directory is gone", () => !existsSync(dirname(tunnel.address.path)));
  });

  test("to a socket that is not there is an error", async () => {
    await expect(openTunnel(session, "/nonexistent/socket", options)).rejects.toMatchObject({
      code: "E_SSH_TUNNEL",
      message: expect.stringContaining("/nonexistent/socket"),
    });
  });
});

function digest(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
