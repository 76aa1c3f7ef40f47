import { copyInto } from "@ovault/core";
import { Client } from "undici";

import { mapTransportError } from "./map-transport-error.ts";
import { ImageioConnectionError } from "./errors.ts";

import type { Endpoint } from "./endpoint.ts";
import type { Dispatcher } from "undici";

const CONNECT_TIMEOUT_MS = 10_000;
/** Answers that are not disk data are short texts. */
const MAX_TEXT_BYTES = 64 * 1024;

/** Silence that ends a request, in milliseconds: before the answer's head, and between pieces of its body. */
export interface Patience {
  readonly headMs: number;
  readonly bodyMs: number;
}

export interface WireRequest {
  readonly method: "OPTIONS" | "GET" | "PUT" | "PATCH";
  /** Appended to the transfer's path, e.g. `/extents?context=zero`. */
  readonly suffix?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Always sent with its Content-Length: the daemon knows no chunked bodies. */
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
  readonly body: AsyncIterable<Uint8Array> & { text(): Promise<string> };
}

/**
 * One HTTP/1.1 connection to imageio: opened by the first request, one request at a time, gone for good after the first
 * failure. The daemon keeps backend state for each connection, so a broken one is never used again.
 *
 * Errors: CertificateError, ImageioConnectionError, or the signal's reason. Any HTTP status is an answer, not an error.
 */
export class Connection {
  readonly #endpoint: Endpoint;
  readonly #client: Client;

  /** `idleMs`: unused for so long, the socket is closed from this side, before the daemon does it in silence. */
  constructor(endpoint: Endpoint, idleMs: number) {
    this.#endpoint = endpoint;
    this.#client = new Client(endpoint.origin, {
      ...(endpoint.socketPath === undefined ? {} : { socketPath: endpoint.socketPath }),
      allowH2: false,
      pipelining: 1,
      keepAliveTimeout: idleMs,
      keepAliveMaxTimeout: idleMs,
      // The time-out covers the TLS handshake too: the daemon's accept loop serves nobody while a handshake is pending.
      connect: { timeout: CONNECT_TIMEOUT_MS, ...(endpoint.ca.length === 0 ? {} : { ca: [...endpoint.ca] }) },
    });
  }

  /** Sends a request and takes the whole answer. After a rejection nothing writes to `into` any more. */
  async exchange(request: WireRequest, signal: AbortSignal): Promise<WireAnswer> {
    signal.throwIfAborted();
    const abort = (): void => void this.destroy();
    signal.addEventListener("abort", abort, { once: true });
    try {
      return await this.#dispatch(request);
    } catch (error) {
      signal.throwIfAborted();
      throw error instanceof ImageioConnectionError ? error : mapTransportError(error, this.#endpoint);
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  /** Sends a request and hands the answer's body over as it comes. The body must be read to its end, or destroyed. */
  async stream(request: WireRequest, signal: AbortSignal): Promise<WireStream> {
    try {
      const { statusCode, body } = await this.#client.request({ ...this.#options(request), signal });
      return { status: statusCode, body };
    } catch (error) {
      signal.throwIfAborted();
      throw mapTransportError(error, this.#endpoint);
    }
  }

  /** What an error while reading a stream's body means. */
  streamError(error: unknown): Error {
    return mapTransportError(error, this.#endpoint);
  }

  /** Closes the socket at once, failing what is under way, and returns when it is closed. */
  async destroy(): Promise<void> {
    await this.#client.destroy();
  }

  #options(request: WireRequest): Dispatcher.DispatchOptions {
    const { authorization, path } = this.#endpoint;
    return {
      method: request.method,
      path: path + (request.suffix ?? ""),
      headers: { ...request.headers, ...(authorization === undefined ? {} : { authorization }) },
      body: request.body ?? null,
      headersTimeout: request.patience.headMs,
      bodyTimeout: request.patience.bodyMs,
    };
  }

  #dispatch(request: WireRequest): Promise<WireAnswer> {
    return new Promise((resolve, reject) => {
      let status = 0;
      let contentRange = "";
      let buffer: Uint8Array | undefined;
      let filled = 0;
      let text = "";
      this.#client.dispatch(this.#options(request), {
        // undici insists on this one.
        onRequestStart: () => {},
        onResponseStart: (_controller, statusCode, headers) => {
          status = statusCode;
          contentRange = String(headers["content-range"] ?? "");
          buffer = statusCode === 206 ? request.into : undefined;
        },
        onResponseData: (controller, chunk) => {
          if (buffer === undefined) {
            if (text.length < MAX_TEXT_BYTES) text += chunk.toString("utf8");
          } else if (filled + chunk.length > buffer.length) {
            controller.abort(
              new ImageioConnectionError("imageio sent more than was asked for", { retry: "transient" }),
            );
          } else {
            copyInto(buffer, chunk, filled);
            filled += chunk.length;
          }
        },
        onResponseEnd: () => {
          if (buffer === undefined || filled === buffer.length) resolve({ status, contentRange, text });
          else reject(shortBody(filled, buffer.length));
        },
        onResponseError: (_controller, error) => reject(error),
      });
    });
  }
}

/** A body that ends early is how the daemon reports a failure in the middle of an answer; it never means the end. */
function shortBody(received: number, expected: number): ImageioConnectionError {
  return new ImageioConnectionError(`imageio sent ${received} of ${expected} bytes`, {
    context: { received, expected },
    retry: "transient",
  });
}
