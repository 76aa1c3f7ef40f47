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

/**
 * For connection and TLS handshake together: the daemon's accept loop serves no other client while a handshake is
 * pending.
 */
const CONNECT_TIMEOUT_MS = 10_000;
/** Minimum rate of a body, in bytes per millisecond; a slower one counts as stalled. */
const MIN_RATE = 64;
/** Answers that are not disk data are short texts. */
const MAX_TEXT_BYTES = 64 * 1024;
/** TLS hands over 16 KiB at most, a unix socket what fits; longer heads are refused. */
const SCRATCH_BYTES = 64 * 1024;

/**
 * Diagnostics channels: `{ method, suffix }` of a request that is sent, and of one that was answered. Without the path,
 * which holds the ticket.
 */
const sending = channel("ovault:imageio:sending");
const answered = channel("ovault:imageio:answered");

/**
 * What ends a request, in milliseconds: silence before the answer's head, and between pieces of its body. Each of the
 * two must also be complete in twice that time, plus the time its bytes take at the minimum rate.
 */
export interface Patience {
  readonly headMs: number;
  readonly bodyMs: number;
}

export interface WireRequest extends RequestHead {
  readonly body?: Uint8Array | string;
  readonly patience: Patience;
  /** Receives the body of a 206, which must be exactly this long. */
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
  /**
   * Total time allowed for the head, then for the body, from when the request can be sent, however slowly it trickles.
   */
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

  /** Closes the socket after `idleMs` without a request, before the daemon does it in silence. */
  constructor(endpoint: Endpoint, idleMs: number, connectMs: number = CONNECT_TIMEOUT_MS) {
    this.#endpoint = endpoint;
    this.#idleMs = idleMs;
    this.#connectMs = connectMs;
  }

  /** Sends a request and reads the whole answer. After a rejection nothing writes to `into` any more. */
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

  /** Sends a request and streams the answer's body. The caller must read the body to its end, or destroy it. */
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
    // The rejection reports it already.
    body.on("error", () => {});
    return await promise;
  }

  /** Closes the socket at once, fails the request in flight, and resolves when the socket is closed. */
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
    // Two writes: for a single one TLS would copy the body.
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
    // Not the socket's own timeout, which restarts between connection and handshake.
    const connecting = setTimeout(() => socket.destroy(this.#error("ETIMEDOUT")), this.#connectMs);
    this.#socket = socket;
    return socket
      .once("close", () => clearTimeout(connecting))
      .on("timeout", () => socket.destroy(this.#error(`silent for ${socket.timeout} ms`)))
      .on("error", (error) => this.#lost(socket, error))
      .on("end", () => socket.destroy())
      .on("close", () => this.#lost(socket, this.#error("closed by the other side")));
  }

  /** Called from a socket callback: must not throw. */
  #took(bytes: number): boolean {
    try {
      if (this.#underway === undefined) throw this.#error("it sent data without a request");
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
    // A request answered before all of it was sent leaves the daemon waiting for the rest.
    if (head.keepAlive && socket?.writableLength === 0) {
      this.#resume(this.#idleMs);
      socket.setTimeout(this.#idleMs);
      resolve(head);
    } else {
      socket?.once("close", () => resolve(head)).destroy();
    }
  }

  /** The loss of an idle socket is no failure: the next request opens another. */
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

  /** Time that the reader takes does not count against the server. */
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
