import { once } from "node:events";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import { Transform } from "node:stream";
import { text } from "node:stream/consumers";

/** What may go wrong between a client and the service. Bytes are those of the body. */
export type Fault =
  /** Something else answers, as soon as the request begins: an S3 error where there is a code. */
  | {
      readonly kind: "answer";
      readonly status: number;
      readonly code?: string;
      readonly extra?: string;
      readonly body?: string;
      readonly headers?: Headers;
    }
  /** The connection breaks while the request is on its way. */
  | { readonly kind: "cut request"; readonly afterBytes: number }
  /** The connection breaks while the answer is on its way. */
  | { readonly kind: "cut answer"; readonly afterBytes: number }
  /** The service does what it was asked; its answer gets lost. */
  | { readonly kind: "swallow" }
  /** Nothing moves any more, and nothing breaks. */
  | { readonly kind: "hang" }
  /** A bit of the request's body turns over. */
  | { readonly kind: "flip" }
  /** The service's answer is changed; it must have a body of text. */
  | { readonly kind: "edit"; readonly edit: (text: string) => string };

type Headers = Readonly<Record<string, string>>;

export interface Request {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
}

export interface FaultProxy {
  readonly endpoint: string;
  /** All that came, in order. */
  readonly requests: readonly Request[];
  /** Decides about each request; undefined lets it pass. */
  fault: (request: Request) => Fault | undefined;
  /** Those that are there now, the most there ever were at once, and all that were made. */
  readonly connections: { open: number; most: number; made: number };
  close(): Promise<void>;
}

/** Stands before a service that speaks HTTP, and passes on all other requests. */
export async function startFaultProxy(service: string): Promise<FaultProxy> {
  const requests: Request[] = [];
  const server = createServer((incoming, answer) => {
    const seen = { method: incoming.method ?? "", url: incoming.url ?? "", headers: incoming.headers };
    requests.push(seen);
    const fault = proxy.fault(seen);
    if (fault?.kind === "answer") return answerInstead(incoming, answer, fault);
    if (fault?.kind === "hang") return;
    passOn(service, { incoming, answer, fault });
  });
  const connections = { open: 0, most: 0, made: 0 };
  server.on("connection", (socket) => {
    connections.made += 1;
    connections.open += 1;
    connections.most = Math.max(connections.most, connections.open);
    socket.on("close", () => (connections.open -= 1));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const proxy: FaultProxy = {
    endpoint: `http://127.0.0.1:${address.port}`,
    requests,
    connections,
    fault: () => undefined,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
  return proxy;
}

interface Exchange {
  readonly incoming: IncomingMessage;
  readonly answer: ServerResponse;
  readonly fault: Exclude<Fault, { kind: "answer" | "hang" }> | undefined;
}

function answerInstead(
  incoming: IncomingMessage,
  answer: ServerResponse,
  fault: Extract<Fault, { kind: "answer" }>,
): void {
  const { status, code, headers = {}, extra = "" } = fault;
  const error = `<Error><Code>${code}</Code><Message>as told</Message>${extra}</Error>`;
  const { body = code === undefined ? "" : error } = fault;
  answer.writeHead(status, { "content-type": "application/xml", ...headers });
  answer.end(incoming.method === "HEAD" ? undefined : body);
  incoming.resume();
}

function passOn(service: string, { incoming, answer, fault }: Exchange): void {
  const { host, ...headers } = incoming.headers;
  // The signature is over the host that the client sees.
  const options = { method: incoming.method, headers: { ...headers, host }, agent: false } as const;
  const outgoing = request(new URL(incoming.url ?? "", service), options, (reply) => {
    if (fault?.kind === "swallow") return void reply.resume().on("end", breakOff);
    if (fault?.kind === "edit") return void edit(reply, answer, fault.edit);
    answer.writeHead(reply.statusCode ?? 0, reply.headers);
    reply.pipe(fault?.kind === "cut answer" ? cutAfter(fault.afterBytes, breakOff) : through()).pipe(answer);
  });
  const breakOff = (): void => {
    incoming.socket.destroy();
    outgoing.destroy();
  };
  outgoing.on("error", breakOff);
  answer.on("close", () => outgoing.destroy());
  const changed =
    fault?.kind === "cut request" ? cutAfter(fault.afterBytes, breakOff) : fault?.kind === "flip" ? flip() : through();
  incoming.pipe(changed).pipe(outgoing);
}

async function edit(reply: IncomingMessage, answer: ServerResponse, change: (text: string) => string): Promise<void> {
  const body = change(await text(reply));
  const { "content-length": _, "transfer-encoding": __, ...headers } = reply.headers;
  answer.writeHead(reply.statusCode ?? 0, { ...headers, "content-length": Buffer.byteLength(body) });
  answer.end(body);
}

function through(): Transform {
  return new Transform({ transform: (chunk, _, done) => done(null, chunk) });
}

function cutAfter(bytes: number, breakOff: () => void): Transform {
  let left = bytes;
  return new Transform({
    transform(chunk: Uint8Array, _, done) {
      const passing = chunk.subarray(0, left);
      left -= passing.byteLength;
      done(null, passing);
      if (left === 0) setImmediate(breakOff);
    },
    flush(done) {
      breakOff();
      done();
    },
  });
}

function flip(): Transform {
  let flipped = false;
  return new Transform({
    transform(chunk: Uint8Array, _, done) {
      const changed = Uint8Array.from(chunk);
      if (!flipped) changed[0] = (changed[0] ?? 0) ^ 1;
      flipped = true;
      done(null, changed);
    },
  });
}
