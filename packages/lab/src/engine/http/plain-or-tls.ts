import { createServer, type Server, type Socket } from "node:net";

/** First byte of a TLS record that begins a handshake (RFC 8446, 5.1). */
const TLS_HANDSHAKE = 22;
const SILENCE_MS = 10_000;

/** What takes over a connection: an HTTP or HTTPS server, which need not listen itself. */
interface Acceptor {
  emit(event: "connection", socket: Socket): boolean;
}

/**
 * A server whose one port serves both TLS and plain HTTP, as an engine has 443 and 80: the first byte that a client sends
 * tells which. Connections without one are ended after a while, or when `closing` is aborted; all others belong to the
 * server that took them.
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
