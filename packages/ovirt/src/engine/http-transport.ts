import { Agent, request, type Dispatcher } from "undici";

import { EngineAnswerError, EngineUnavailableError } from "./errors.ts";
import { certificateErrorOf, codeOf, tlsOptions, type TlsTrust } from "./tls.ts";

export interface HttpRequest {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** From the root of the host, with the query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Uses a new connection: on a kept one, a close by the server looks like a lost answer. */
  readonly fresh?: boolean;
  /** For the whole exchange, from connecting to the last byte. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

export interface HttpAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly location: string | undefined;
  readonly cookies: readonly string[];
  readonly text: string;
}

export interface HttpTransportOptions {
  readonly origin: string;
  readonly trust: TlsTrust;
  /** An answer with more bytes than this is refused. */
  readonly maxAnswerBytes: number;
}

const CONNECT_TIMEOUT_MS = 10_000;

/** Failures before the request left this machine or reached a server. */
const NOT_SENT = new Set([
  "EAI_AGAIN",
  "ECONNREFUSED",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "UND_ERR_CONNECT_TIMEOUT",
]);

/** One exchange of request and answer over verified TLS: bounded in time and size, with failures sorted into kinds. */
export class HttpTransport {
  readonly #options: HttpTransportOptions;
  readonly #kept: Dispatcher;
  readonly #fresh: Dispatcher;

  constructor(options: HttpTransportOptions) {
    this.#options = options;
    const agent = {
      connect: { ...tlsOptions(options.trust), timeout: CONNECT_TIMEOUT_MS },
      // The exchange's own time limit governs; undici's would cut a long exchange short.
      headersTimeout: 0,
      bodyTimeout: 0,
    };
    this.#kept = new Agent(agent);
    this.#fresh = new Agent({ ...agent, pipelining: 0 });
  }

  /**
   * @throws EngineUnavailableError when there is no answer; CertificateError when the server is not verified;
   * EngineAnswerError for too large an answer; the signal's reason
   */
  async exchange(call: HttpRequest): Promise<HttpAnswer> {
    const timeout = AbortSignal.timeout(call.timeoutMs);
    try {
      const { statusCode, headers, body } = await request(this.#options.origin + call.path, {
        dispatcher: call.fresh === true ? this.#fresh : this.#kept,
        method: call.method,
        headers: { ...call.headers },
        body: call.body ?? null,
        signal: AbortSignal.any([call.signal, timeout]),
      });
      return {
        status: statusCode,
        contentType: first(headers["content-type"]) ?? "",
        location: first(headers["location"]),
        cookies: [headers["set-cookie"] ?? []].flat(),
        text: await this.#read(body),
      };
    } catch (error) {
      throw this.#mapError(error, call, timeout);
    }
  }

  /** Closes the connections. Never throws. */
  async close(): Promise<void> {
    await Promise.allSettled([this.#kept.destroy(), this.#fresh.destroy()]);
  }

  /** Leaving the loop early destroys the body, and with it the connection. */
  async #read(body: AsyncIterable<Uint8Array>): Promise<string> {
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    for await (const chunk of body) {
      bytes += chunk.length;
      if (bytes > this.#options.maxAnswerBytes) {
        throw new EngineAnswerError(`the engine's answer is larger than ${this.#options.maxAnswerBytes} bytes`);
      }
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString("utf8");
  }

  #mapError(error: unknown, call: HttpRequest, timeout: AbortSignal): unknown {
    const { host, hostname } = new URL(this.#options.origin);
    if (error instanceof EngineAnswerError) return error;
    if (call.signal.aborted) return call.signal.reason;
    if (timeout.aborted) {
      return new EngineUnavailableError(`${host} did not answer within ${call.timeoutMs} ms`, {
        cause: error,
        context: { host, timeoutMs: call.timeoutMs },
        sent: true,
      });
    }
    const code = codeOf(error);
    const certificateError = certificateErrorOf(error, hostname);
    if (certificateError !== undefined) return certificateError;
    return new EngineUnavailableError(`no answer from ${host}${code === undefined ? "" : `: ${code}`}`, {
      cause: error,
      context: { host, reason: code ?? null },
      hint: "Check the engine's url in ovault.yaml, that the engine runs, and that no firewall is in between.",
      sent: code === undefined || !NOT_SENT.has(code),
    });
  }
}

function first(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header;
}
