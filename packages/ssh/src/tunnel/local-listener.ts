import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";

import { messageOf } from "@ovault/contract";

import { TunnelError } from "../errors.ts";
import { GuardedDirectory } from "./guarded-directory.ts";

/** Serves one connection to the local socket. Rejects when it cannot. */
export type ServeConnection = (socket: Socket) => Promise<unknown>;

/** A unix socket in a guarded directory, whose connections this process serves. */
export interface LocalListener {
  readonly path: string;
  /** Ends the connections and removes the socket. Never rejects. */
  close(): Promise<void>;
}

/** @throws TunnelError */
export async function listenLocally(serve: ServeConnection): Promise<LocalListener> {
  const directory = await GuardedDirectory.make();
  const path = join(directory.path, "socket");
  const sockets = new Set<Socket>();
  // The two directions of a connection end one after the other.
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => undefined);
    serve(socket).catch(() => socket.destroy());
  });
  try {
    server.listen(path);
    await once(server, "listening");
  } catch (error) {
    await directory.close();
    throw new TunnelError(`cannot listen at ${path}: ${messageOf(error)}`, { cause: error });
  }
  return {
    path,
    close: async () => {
      server.close();
      for (const socket of sockets) socket.destroy();
      await directory.close();
    },
  };
}
