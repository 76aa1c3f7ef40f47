import { channel } from "node:diagnostics_channel";
import type { Socket } from "node:net";
import { Readable } from "node:stream";

import { AnswerReader, type BodyTarget } from "./answer-reader.ts";
import { lostConnection, mapTransportError } from "./map-transport-error.ts";
import { openSocket } from "./open-socket.ts";
import { formatRequestHead, type RequestHead } from "./request-head.ts";

import type { AnswerHead } from "./answer-head.ts";
import type { Endpoint } from "./endpoint.ts";
import type { ImageioConnectionError } from "./errors.ts";

/** For connection and TLS handshake together: the daemon's accept loop serves nobody while a handshake is pending. */
const CONNECT_TIMEOUT_MS = 10_000;
/** Bytes in a millisecond that a body comes or goes with at least; slower is as good as not at all. */
const MIN_RATE = 64;
/** Answers that are not disk data are short texts. */
const MAX_TEXT_BYTES = 64 * 1024;
/** TLS hands over 16 KiB at most, a unix socket what fits; longer heads are refused. */
const SCRATCH_BYTES = 64 * 1024;

/** For who traces: `{ method, suffix }` of a request that goes out, and of one that was answered. No path, it holds the ticket. */
const sending = channel("ovault:imageio:sending");
const answered = channel("ovault:imageio:answered");

/**
 * What ends a request, in milliseconds: silence before the answer's head, and between pieces of its body. Each of the two
 * must also be whole in twice that time, and in what its bytes take at the least rate.
 */
export interface Patience {
  readonly headMs: number;
  readonly bodyMs: number;
}

export interface WireRequest extends RequestHead {
  readonly body?: Uint8Array | string;
  readonly patience: Patience;
  /** The body of a 206 goes here; all of it must come, and nothing more. */
  readonly into?: Uint8Array;
}

export interface WireAnswer {
  readonly status: number;
  readonly contentRange: string;
  /** Empty when the body went into the buffer. */
  readonly text: string;
}

export interface WireStream {
  readonly status: number;
  readonly body: Readable;
}

type BodyChoice = (head: AnswerHead) => BodyTarget;

interface Underway {
  /** What all of the head, then all of the body, may take from when it can be sent, however it trickles. */
  allowedMs: number;
  deadline: NodeJS.Timeout | undefined;
  readonly trace: object;
  readonly reader: AnswerReader;
  readonly resolve: (head: AnswerHead) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * One HTTP/1.1 connection to imageio: opened by the first request, one request at a time, gone for good after the first
 * failure. The daemon keeps backend state for each connection, so a broken one is never used again.
 *
 * It speaks HTTP itself, because no client of the field lets the caller say where a body goes: docs/adr/0008-http-to-imageio.md.
 *
 * Errors: CertificateError, ImageioConnectionError, or the signal's reason. Any HTTP status is an answer, not an error.
 */
export class Connection {
  readonly #endpoint: Endpoint;
  readonly #idleMs: number;
  readonly #connectMs: number;
  readonly #scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES);
  #socket: Socket | undefined;
  #underway: Underway | undefined;
  #gone = false;

  /** `idleMs`: unused for so long, the socket is closed from this side, before the daemon does it in silence. */
  constructor(endpoint: Endpoint, idleMs: number, connectMs: number = CONNECT_TIMEOUT_MS) {
    this.#endpoint = endpoint;
    this.#idleMs = idleMs;
    this.#connectMs = connectMs;
  }

  /** Sends a request and takes the whole answer. After a rejection nothing writes to `into` any more. */
  async exchange(request: WireRequest, signal: AbortSignal): Promise<WireAnswer> {
    const pieces: Uint8Array[] = [];
    let bytes = 0;
    const keep = (piece: Uint8Array): void => {
      if (bytes < MAX_TEXT_BYTES) pieces.push(Uint8Array.from(piece));
      bytes += piece.length;
    };
    const bodyFor = ({ status }: AnswerHead): BodyTarget => (status === 206 ? request.into : undefined) ?? keep;
    const { status, contentRange } = await this.#send(request, bodyFor, signal);
    return { status, contentRange, text: Buffer.concat(pieces).toString("utf8") };
  }

  /** Sends a request and hands the answer's body over as it is read. The body must be read to its end, or destroyed. */
  async stream(request: WireRequest, signal: AbortSignal): Promise<WireStream> {
    const { promise, resolve, reject } = Promise.withResolvers<WireStream>();
    const body = new Readable({
      read: () => this.#resume(request.patience.bodyMs),
      destroy: (error, done) => {
        if (!body.readableEnded) void this.destroy();
        done(error);
      },
    });
    const hand = (piece: Uint8Array): void => {
      if (!body.push(Uint8Array.from(piece))) this.#pause();
    };
    const bodyFor = ({ status }: AnswerHead): BodyTarget => {
      resolve({ status, body });
      return hand;
    };
    this.#send(request, bodyFor, signal).then(
      () => body.push(null),
      (error: Error) => {
        reject(error);
        body.destroy(error);
      },
    );
    // For who is told by the rejection already.
    body.on("error", () => {});
    return await promise;
  }

  /** Closes the socket at once, failing what is under way, and returns when it is closed. */
  async destroy(): Promise<void> {
    const socket = this.#socket;
    this.#fail(this.#error("closed"));
    if (socket === undefined || socket.closed) return;
    await new Promise((resolve) => socket.once("close", resolve));
  }

  async #send(request: WireRequest, bodyFor: BodyChoice, signal: AbortSignal): Promise<AnswerHead> {
    signal.throwIfAborted();
    const head = formatRequestHead(this.#endpoint, request, lengthOf(request.body));
    const abort = (): void => void this.destroy();
    signal.addEventListener("abort", abort, { once: true });
    try {
      return await this.#dispatch(request, head, bodyFor);
    } catch (error) {
      await this.destroy();
      signal.throwIfAborted();
      throw mapTransportError(error, this.#endpoint);
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  async #dispatch(request: WireRequest, head: string, bodyFor: BodyChoice): Promise<AnswerHead> {
    if (this.#gone) throw this.#error("closed");
    const { method, suffix, body, patience } = request;
    const { promise, resolve, reject } = Promise.withResolvers<AnswerHead>();
    const reader = new AnswerReader(this.#scratch, (answer) => {
      this.#socket?.setTimeout(patience.bodyMs);
      this.#allow(2 * patience.bodyMs + answer.length / MIN_RATE);
      return bodyFor(answer);
    });
    const trace = { method, suffix };
    const allowedMs = 2 * patience.headMs + (body?.length ?? 0) / MIN_RATE;
    this.#underway = { trace, reader, resolve, reject, allowedMs, deadline: undefined };
    sending.publish(trace);
    const socket = this.#socketFor(patience.headMs);
    // Not both in one go: for that TLS would copy the body.
    socket.write(head);
    if (body !== undefined && body.length > 0) socket.write(body);
    return await promise;
  }

  #socketFor(headMs: number): Socket {
    if (this.#socket?.destroyed === false) {
      this.#startDeadline();
      return this.#socket.setTimeout(headMs);
    }
    const onread = {
      buffer: () => this.#underway?.reader.target() ?? this.#scratch,
      callback: (bytes: number) => this.#took(bytes),
    };
    const socket = openSocket(this.#endpoint, onread, () => {
      clearTimeout(connecting);
      socket.setTimeout(headMs);
      this.#startDeadline();
    });
    // Not the socket's own time limit, which begins anew between connection and handshake.
    const connecting = setTimeout(() => socket.destroy(this.#error("ETIMEDOUT")), this.#connectMs);
    this.#socket = socket;
    return socket
      .once("close", () => clearTimeout(connecting))
      .on("timeout", () => socket.destroy(this.#error(`silent for ${socket.timeout} ms`)))
      .on("error", (error) => this.#lost(socket, error))
      .on("end", () => socket.destroy())
      .on("close", () => this.#lost(socket, this.#error("closed by the other side")));
  }

  /** Nobody is above this to catch what it throws. */
  #took(bytes: number): boolean {
    try {
      if (this.#underway === undefined) throw this.#error("it brought what nobody had asked for");
      const head = this.#underway.reader.took(bytes);
      if (head !== undefined) this.#answered(head, this.#underway);
    } catch (error) {
      this.#fail(error);
    }
    return true;
  }

  #answered(head: AnswerHead, { trace, resolve, deadline }: Underway): void {
    clearTimeout(deadline);
    this.#underway = undefined;
    answered.publish(trace);
    const socket = this.#socket;
    // A request that was answered before all of it was sent leaves the daemon waiting for the rest.
    if (head.keepAlive && socket?.writableLength === 0) {
      this.#resume(this.#idleMs);
      socket.setTimeout(this.#idleMs);
      resolve(head);
    } else {
      socket?.once("close", () => resolve(head)).destroy();
    }
  }

  /** An idle socket that goes is no failure: the next request opens another. */
  #lost(socket: Socket, error: unknown): void {
    if (socket === this.#socket && this.#underway !== undefined) this.#fail(error);
  }

  #fail(error: unknown): void {
    this.#gone = true;
    this.#socket?.destroy();
    clearTimeout(this.#underway?.deadline);
    this.#underway?.reject(error);
    this.#underway = undefined;
  }

  #allow(ms: number): void {
    if (this.#underway === undefined) return;
    this.#underway.allowedMs = ms;
    this.#startDeadline();
  }

  #startDeadline(): void {
    if (this.#underway === undefined) return;
    const { allowedMs, deadline } = this.#underway;
    clearTimeout(deadline);
    this.#underway.deadline = setTimeout(
      () => this.#socket?.destroy(this.#error(`not whole within ${Math.round(allowedMs)} ms`)),
      allowedMs,
    );
  }

  /** The time that a reader takes is not the server's. */
  #pause(): void {
    this.#socket?.pause().setTimeout(0);
    clearTimeout(this.#underway?.deadline);
  }

  #resume(patienceMs: number): void {
    if (this.#socket?.isPaused() !== true) return;
    this.#socket.resume().setTimeout(patienceMs);
    this.#startDeadline();
  }

  #error(reason: string): ImageioConnectionError {
    return lostConnection(this.#endpoint, reason);
  }
}

function lengthOf(body: Uint8Array | string | undefined): number | undefined {
  return body === undefined ? undefined : Buffer.byteLength(body);
}
