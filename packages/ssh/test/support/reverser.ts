import { once } from "node:events";
import { chmod } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";

import { onTestFinished } from "vitest";

import type { OpenSshServer } from "@ovault/test-support/open-ssh-server";

/** Starts a server behind a unix socket that answers what it got, in reverse, when the other side has ended. */
export async function startReverser(on: OpenSshServer): Promise<string> {
  const path = join(await on.newDirectory(), "socket");
  const listener = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => undefined);
    buffer(socket).then(
      (bytes) => socket.end(Uint8Array.from(bytes).toReversed()),
      () => socket.destroy(),
    );
  });
  listener.listen(path);
  await once(listener, "listening");
  // For the server's user.
  await chmod(path, 0o666);
  onTestFinished(() => void listener.close());
  return path;
}

export async function askReverser(path: string, bytes: Uint8Array): Promise<Buffer> {
  const socket = connect({ path, allowHalfOpen: true });
  socket.end(bytes);
  return await buffer(socket);
}
