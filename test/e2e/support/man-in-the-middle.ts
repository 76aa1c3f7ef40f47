import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";

/** The first byte of every TLS connection. */
const TLS_HANDSHAKE = 0x16;

/** Passes TLS on to an engine, and answers everything that is asked in the clear by itself. */
export class ManInTheMiddle implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  static async start(engineUrl: string, answer: string): Promise<ManInTheMiddle> {
    const between = new ManInTheMiddle(Number(new URL(engineUrl).port), answer);
    await new Promise<void>((resolve) => between.#server.listen(0, "127.0.0.1", resolve));
    return between;
  }

  private constructor(enginePort: number, answer: string) {
    const plain = `HTTP/1.1 200 OK\r\ncontent-length: ${answer.length}\r\nconnection: close\r\n\r\n${answer}`;
    this.#server = createServer((client) => {
      this.#keep(client);
      client.once("data", (first) => {
        if (first[0] !== TLS_HANDSHAKE) return void client.end(plain);
        const engine = this.#keep(connect(enginePort, "127.0.0.1"));
        engine.write(first);
        client.pipe(engine).pipe(client);
      });
    });
  }

  get url(): string {
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}/ovirt-engine`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #keep(socket: Socket): Socket {
    this.#sockets.add(socket);
    return socket.on("error", () => socket.destroy());
  }
}
