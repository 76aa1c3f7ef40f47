import { once } from "node:events";
import { connect, type TLSSocket } from "node:tls";

import { onTestFinished } from "vitest";

import { createAuthority, currentValidity, issueServerCertificate } from "../../src/certificates.ts";
import type { ImageioTicket } from "../../src/imageio/imageio-daemon.ts";
import { LabImageio } from "../../src/imageio/lab-imageio.ts";
import type { Finished } from "./temporary-directory.ts";

export interface TestImageio {
  readonly imageio: LabImageio;
  /** A new connection, closed after the test. */
  connect(): Promise<WireConnection>;
}

/** An imageio endpoint with a certificate of its own, closed after the test. */
export async function startTestImageio(finished: Finished = onTestFinished): Promise<TestImageio> {
  const authority = await createAuthority("test");
  const { privateKeyPem: key, certificatePem: cert } = await issueServerCertificate(authority, currentValidity());
  const imageio = await LabImageio.start({ key, cert, host: "127.0.0.1", port: 0, removeTimeoutMs: 500 });
  finished(() => imageio.close());
  return {
    imageio,
    connect: async () => {
      const socket = connect({ host: "127.0.0.1", port: imageio.port, ca: authority.certificatePem });
      onTestFinished(() => void socket.destroy());
      await once(socket, "secureConnect");
      return new WireConnection(socket);
    },
  };
}

/** A ticket for one export, good for a minute. */
export function ticketFor(
  uuid: string,
  { path, exportName }: { path: string; exportName: string },
  changes: Partial<ImageioTicket> & Pick<ImageioTicket, "sizeBytes">,
): ImageioTicket {
  const source = { kind: "nbd", path, exportName } as const;
  const defaults = { ops: ["read"], timeoutSeconds: 60, inactivityTimeoutSeconds: 60, dirty: false } as const;
  return { uuid, source, ...defaults, ...changes };
}

export interface WireAnswer {
  readonly status: number;
  /** Names as they came; without `date`. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** Speaks HTTP by hand, so that nothing is added to what is sent or taken from what comes. */
export class WireConnection {
  readonly #socket: TLSSocket;
  #received = Buffer.alloc(0);
  #ended = false;
  #wake: () => void = () => undefined;

  constructor(socket: TLSSocket) {
    this.#socket = socket;
    socket.on("data", (data: Buffer) => {
      this.#received = Buffer.concat([this.#received, data]);
      this.#wake();
    });
    for (const event of ["end", "close", "error"]) {
      socket.on(event, () => {
        this.#ended = true;
        this.#wake();
      });
    }
  }

  /** Sends a request and waits for its whole answer. `head` has no Host; Content-Length is added for a body. */
  async request(head: string, body?: string | Buffer): Promise<WireAnswer> {
    const length = body === undefined ? [] : [`Content-Length: ${Buffer.byteLength(body)}`];
    this.send([...head.split("\n"), "Host: localhost", ...length, "", ""].join("\r\n"));
    if (body !== undefined) this.send(body);
    return this.answer();
  }

  send(data: string | Buffer): void {
    this.#socket.write(data);
  }

  /** The next answer; rejects when the connection ends before it is whole. */
  async answer(): Promise<WireAnswer> {
    const end = await this.#until(() => this.#received.indexOf("\r\n\r\n"));
    const [statusLine = "", ...lines] = this.#take(end + 4)
      .toString("latin1")
      .trimEnd()
      .split("\r\n");
    const headers = Object.fromEntries(lines.map((line) => line.split(": ", 2)));
    delete headers["date"];
    const length = Number(headers["content-length"] ?? 0);
    await this.#until(() => (this.#received.length >= length ? length : -1));
    return { status: Number(statusLine.split(" ")[1]), headers, body: this.#take(length) };
  }

  /** Resolves with whatever still came when the server has closed the connection. */
  async closed(): Promise<Buffer> {
    while (!this.#ended) await new Promise<void>((resolve) => (this.#wake = resolve));
    return this.#received;
  }

  /** Says that nothing more will be sent. */
  end(): void {
    this.#socket.end();
  }

  close(): void {
    this.#socket.destroy();
  }

  async #until(ready: () => number): Promise<number> {
    for (;;) {
      const at = ready();
      if (at >= 0) return at;
      if (this.#ended) throw new Error(`connection closed after ${this.#received.length} bytes`);
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  #take(length: number): Buffer {
    const taken = this.#received.subarray(0, length);
    this.#received = this.#received.subarray(length);
    return taken;
  }
}
