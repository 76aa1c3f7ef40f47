import { spawn, type ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import net from "node:net";

import { RELAY, TICKET_BYTES } from "../../src/netcat/relay-script.ts";

export const LOOPBACK = "127.0.0.0/8";

export interface RelayRun extends AsyncDisposable {
  readonly child: ChildProcess;
  readonly port: number;
  readonly host: string;
  readonly proof: Buffer;
  readonly answer: Buffer;
  /** Exit code and standard error, once it has ended. */
  readonly ended: Promise<{ readonly exitCode: number | null; readonly stderr: string }>;
}

export interface RelayRequest {
  readonly service: string;
  readonly python?: string;
  readonly network?: string;
  readonly ports?: readonly [number, number];
  readonly seconds?: number;
  readonly env?: NodeJS.ProcessEnv;
}

/** The relay as a host runs it. @throws its standard error when it does not listen */
export async function startRelay(request: RelayRequest): Promise<RelayRun> {
  const { service, python = "python3", network = LOOPBACK, ports = [20_000, 20_999], seconds = 20 } = request;
  const [proof, answer] = [randomBytes(TICKET_BYTES.proof), randomBytes(TICKET_BYTES.answer)];
  const args = ["/run/ovault-test", network, ...ports, service, seconds].map(String);
  const child = spawn(python, ["-E", "-s", "-c", RELAY, ...args], { env: { ...process.env, ...request.env } });
  let stderr = "";
  child.stderr.on("data", (text) => (stderr += String(text)));
  const ended = once(child, "close").then(([exitCode]: (number | null)[]) => ({ exitCode: exitCode ?? null, stderr }));
  child.stdin.on("error", () => {});
  child.stdin.write(Buffer.concat([proof, answer]));
  const first = await Promise.race([once(child.stdout, "data").then(String), ended.then(() => undefined)]);
  const [port, host] = first?.trim().split(" ") ?? [];
  if (port === undefined || host === undefined) throw new Error(stderr.trim());
  return {
    child,
    port: Number(port),
    host,
    proof,
    answer,
    ended,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

export interface Visitor {
  readonly socket: net.Socket;
  /** All that came, once the other side has closed. */
  readonly received: Promise<Buffer>;
}

/** Connects and sends some bytes. */
export async function visit({ host, port }: RelayRun, bytes: Uint8Array = Buffer.alloc(0)): Promise<Visitor> {
  const socket = net.connect({ host, port });
  const pieces: Buffer[] = [];
  socket.on("data", (piece) => pieces.push(piece));
  socket.on("error", () => {});
  const closed = new Promise<Buffer>((resolve) => socket.once("close", () => resolve(Buffer.concat(pieces))));
  await once(socket, "connect");
  if (bytes.length > 0) socket.write(bytes);
  return { socket, received: closed };
}
