import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";

/** Answers one request of a connection, by whatever bytes it likes. */
export type Script = (socket: Socket, request: string) => void;

/** A server on a unix socket that answers by hand, so that it can say what no server would. */
export class ScriptedServer {
  readonly sockets: Socket[] = [];
  readonly requests: string[] = [];
  readonly #server: Server;

  /** The script is called for each request, with its head. Bodies are not looked at. */
  static async start(path: string, script: Script): Promise<ScriptedServer> {
    const server = new ScriptedServer(script);
    server.#server.listen(path);
    await once(server.#server, "listening");
    return server;
  }

  private constructor(script: Script) {
    this.#server = createServer((socket) => {
      this.sockets.push(socket);
      socket.on("error", () => {});
      let text = "";
      socket.setEncoding("latin1").on("data", (piece: string) => {
        text += piece;
        const end = text.indexOf("\r\n\r\n");
        if (end < 0) return;
        const request = text.slice(0, end);
        text = "";
        this.requests.push(request);
        script(socket, request);
      });
    });
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }
}
