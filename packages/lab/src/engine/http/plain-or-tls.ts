import { createServer, type Server, type Socket } from "node:net";

/** First byte of a TLS record that begins a handshake (RFC 8446, 5.1). */
const TLS_HANDSHAKE = 22;
const SILENCE_MS = 10_000;

/** An HTTP or HTTPS server that takes over connections; it need not listen itself. */
interface Acceptor {
  emit(event: "connection", socket: Socket): boolean;
}

/**
 * A server that serves both TLS and plain HTTP at one port, as an engine has 443 and 80: the first byte of the client
 * decides. It ends connections without one after a while, or when `closing` is aborted; all others belong to the server
 * that took them.
 */
export function plainOrTls(tls: Acceptor, plain: Acceptor, closing: AbortSignal): Server {
  return createServer((socket) => {
    const drop = (): void => void socket.destroy();
    closing.addEventListener("abort", drop);
    socket.setTimeout(SILENCE_MS, drop);
    socket.once("error", drop);
    socket.once("close", () => closing.removeEventListener("abort", drop));
    socket.once("readable", () => {
      const first: Buffer | null = socket.read();
      if (first === null) return drop();
      closing.removeEventListener("abort", drop);
      socket.setTimeout(0).off("timeout", drop).off("error", drop);
      socket.unshift(first);
      (first[0] === TLS_HANDSHAKE ? tls : plain).emit("connection", socket);
    });
  });
}
