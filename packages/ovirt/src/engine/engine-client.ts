import { messageOf } from "@ovault/contract";

import type { XmlFragment } from "./build-xml.ts";
import type { ApiVersion, CallOptions, DeleteOptions, EngineCaller, OnWait } from "./engine-caller.ts";
import { EngineLogin } from "./engine-login.ts";
import { parseEngineUrl, type EngineAddress } from "./engine-url.ts";
import { EngineAnswerError, EngineConflictError, EngineUnavailableError } from "./errors.ts";
import { HttpTransport, type HttpAnswer, type HttpRequest } from "./http-transport.ts";
import { loginRefused } from "./login-refused.ts";
import { pause } from "./pause.ts";
import { readAnswer } from "./read-answer.ts";
import type { TlsTrust } from "./tls.ts";
import { parseUserName } from "./user-name.ts";
import type { XmlElement } from "./xml-element.ts";

export interface EngineClientOptions {
  /** `https://ENGINE/ovirt-engine/api` */
  readonly url: string;
  /** With its profile: `admin@internal`. */
  readonly user: string;
  readonly password: string;
  readonly trust: TlsTrust;
  /** Default: single sign-on, and basic authentication where the engine has no such service (3.x). */
  readonly auth?: "sso" | "basic" | undefined;
  readonly timings?: { readonly [K in keyof EngineTimings]?: EngineTimings[K] | undefined };
  readonly maxAnswerBytes?: number;
}

/** All in milliseconds. */
export interface EngineTimings {
  /** Longest time between two polls, and the first step of every backoff. */
  readonly pollMs: number;
  /** For one exchange. Creating a virtual machine answers only when it is made (4.5). */
  readonly requestTimeoutMs: number;
  /** How long to retry after a conflict (HTTP 409). */
  readonly conflictDeadlineMs: number;
  /** How long an engine that does not answer is assumed to be restarting. */
  readonly restartBudgetMs: number;
  /** How long to wait for a host whose imageio does not answer, while the engine reports the transfer as alive. */
  readonly hostPatienceMs: number;
  /**
   * How long a request may take to become visible if the run that sent it died before the answer. An attachment
   * shows only after the engine has plugged the disk in.
   */
  readonly inFlightMs: number;
}

export const DEFAULT_TIMINGS: EngineTimings = {
  pollMs: 1_500,
  requestTimeoutMs: 180_000,
  conflictDeadlineMs: 300_000,
  restartBudgetMs: 180_000,
  hostPatienceMs: 600_000,
  inFlightMs: 15_000,
};

/** An inventory of a few thousand virtual machines is some tens of megabytes. */
const MAX_ANSWER_BYTES = 128 * 1024 * 1024;
const MAX_BACKOFF_STEPS = 4;
/** The engine's column for it holds 50 characters. */
const MAX_CORRELATION_ID = 50;

interface Call extends CallOptions {
  readonly method: HttpRequest["method"];
  readonly path: string;
  readonly body?: XmlFragment;
  readonly correlationId?: string;
  readonly onWait?: OnWait | undefined;
}

/** A logged-in connection to one engine. See `EngineCaller` for what calls do, `correlated` for tagging them. */
export class EngineClient implements EngineCaller {
  readonly address: EngineAddress;
  readonly trust: TlsTrust;
  readonly pollMs: number;
  readonly inFlightMs: number;
  readonly conflictDeadlineMs: number;
  readonly hostPatienceMs: number;
  readonly #timings: EngineTimings;
  readonly #transport: HttpTransport;
  readonly #login: EngineLogin;

  /** Opens no connection yet. @throws ConfigurationError for an unusable url or user name */
  constructor(options: EngineClientOptions) {
    const { user, password, auth } = options;
    parseUserName(user);
    this.address = parseEngineUrl(options.url);
    this.trust = options.trust;
    const { timings = {} } = options;
    this.#timings = {
      pollMs: timings.pollMs ?? DEFAULT_TIMINGS.pollMs,
      requestTimeoutMs: timings.requestTimeoutMs ?? DEFAULT_TIMINGS.requestTimeoutMs,
      conflictDeadlineMs: timings.conflictDeadlineMs ?? DEFAULT_TIMINGS.conflictDeadlineMs,
      restartBudgetMs: timings.restartBudgetMs ?? DEFAULT_TIMINGS.restartBudgetMs,
      hostPatienceMs: timings.hostPatienceMs ?? DEFAULT_TIMINGS.hostPatienceMs,
      inFlightMs: timings.inFlightMs ?? DEFAULT_TIMINGS.inFlightMs,
    };
    this.pollMs = this.#timings.pollMs;
    this.inFlightMs = this.#timings.inFlightMs;
    this.conflictDeadlineMs = this.#timings.conflictDeadlineMs;
    this.hostPatienceMs = this.#timings.hostPatienceMs;
    const transport = new HttpTransport({
      origin: this.address.origin,
      trust: options.trust,
      maxAnswerBytes: options.maxAnswerBytes ?? MAX_ANSWER_BYTES,
    });
    this.#transport = transport;
    const { address } = this;
    const timeoutMs = this.#timings.requestTimeoutMs;
    this.#login = new EngineLogin({ transport, address, user, password, auth, timeoutMs });
  }

  async apiVersion(signal: AbortSignal): Promise<ApiVersion> {
    // Single sign-on settles it without a request of its own; basic authentication does not.
    const login = this.#login;
    if (login.apiVersion === undefined) {
      await this.#patiently({ method: "GET", path: "", signal }, () => login.identity(signal));
    }
    if (login.apiVersion === undefined) await this.get("", { signal });
    return login.apiVersion ?? 4;
  }

  get(path: string, options: CallOptions): Promise<XmlElement> {
    return this.#request({ ...options, method: "GET", path });
  }

  post(path: string, body: XmlFragment, options: CallOptions): Promise<XmlElement> {
    return this.#request({ ...options, method: "POST", path, body });
  }

  put(path: string, body: XmlFragment, options: CallOptions): Promise<XmlElement> {
    return this.#request({ ...options, method: "PUT", path, body });
  }

  delete(path: string, options: DeleteOptions): Promise<XmlElement> {
    return this.#request({ ...options, method: "DELETE", path });
  }

  /**
   * The same connection, whose calls carry this id: the engine puts it on its jobs and events.
   * @param until ends every call when it aborts, also one with a signal of its own
   */
  correlated(runId: string, onWait?: OnWait, until?: AbortSignal): EngineCaller {
    const correlationId = runId.replaceAll(/[^\w.-]/g, "-").slice(0, MAX_CORRELATION_ID);
    const tag = { correlationId, onWait };
    const ending = ({ signal }: CallOptions) =>
      until === undefined ? {} : { signal: AbortSignal.any([signal, until]) };
    return {
      pollMs: this.pollMs,
      inFlightMs: this.inFlightMs,
      conflictDeadlineMs: this.conflictDeadlineMs,
      hostPatienceMs: this.hostPatienceMs,
      onWait,
      apiVersion: (signal) => this.apiVersion(until === undefined ? signal : AbortSignal.any([signal, until])),
      get: (path, options) => this.#request({ ...options, method: "GET", path, ...tag, ...ending(options) }),
      post: (path, body, options) =>
        this.#request({ ...options, method: "POST", path, body, ...tag, ...ending(options) }),
      put: (path, body, options) =>
        this.#request({ ...options, method: "PUT", path, body, ...tag, ...ending(options) }),
      delete: (path, options) => this.#request({ ...options, method: "DELETE", path, ...tag, ...ending(options) }),
    };
  }

  /** Logs out and closes the connections. Never throws. */
  async close(): Promise<void> {
    await this.#login.close();
    await this.#transport.close();
  }

  /** Retries what is safe to retry, for as long as that kind of failure allows. */
  #request(call: Call): Promise<XmlElement> {
    return this.#patiently(call, () => this.#attempt(call));
  }

  async #patiently<T>(call: Call, attempt: () => Promise<T>): Promise<T> {
    const start = performance.now();
    for (let failures = 0; ; failures += 1) {
      try {
        return await attempt();
      } catch (error) {
        const patienceMs = this.#patienceFor(error, call);
        if (patienceMs === 0) throw error;
        if (performance.now() - start >= patienceMs) throw exhausted(error, patienceMs);
        if (failures === 0) call.onWait?.(`up to ${patienceMs / 1_000} s: ${messageOf(error)}`);
      }
      await pause(this.pollMs * 2 ** Math.min(failures, MAX_BACKOFF_STEPS), call.signal);
    }
  }

  #patienceFor(error: unknown, call: Call): number {
    if (error instanceof EngineConflictError) {
      return error.retry === "never" ? 0 : (call.conflictDeadlineMs ?? this.#timings.conflictDeadlineMs);
    }
    const repeatable = isIdempotent(call);
    // While an engine starts, its web server answers 404 with a page; a known API does not vanish.
    const restarting = error instanceof EngineAnswerError && error.context["status"] === 404;
    const unavailable = error instanceof EngineUnavailableError;
    if (!restarting && !unavailable) return 0;
    const turnedAway = restarting || (unavailable && !error.sent);
    const knownEngine = this.#login.proven || (unavailable && error.context["status"] === 503);
    return knownEngine && (repeatable || turnedAway) ? this.#timings.restartBudgetMs : 0;
  }

  /** One attempt; repeated with another session when the engine no longer knows the one of the request. */
  async #attempt(call: Call): Promise<XmlElement> {
    const login = this.#login;
    for (let sessions = 1; ; sessions += 1) {
      const headers = await login.identity(call.signal);
      const answer = await this.#exchange(call, headers);
      if (answer.status !== 401) {
        login.letIn(headers);
        const root = readAnswer(answer, call);
        login.showed(root);
        return root;
      }
      if (!login.mayRepeat(headers, sessions)) throw loginRefused();
    }
  }

  /**
   * A request that creates something is not interrupted once sent: only its answer says what to undo. The next request
   * sees the abort.
   */
  async #exchange(call: Call, identity: Readonly<Record<string, string>>): Promise<HttpAnswer> {
    call.signal.throwIfAborted();
    const { apiPath, apiVersion } = this.#login;
    const answer = await this.#transport.exchange({
      method: call.method,
      path: apiPath + call.path + queryText(call.query),
      headers: {
        accept: "application/xml",
        "accept-language": "en-US",
        version: String(apiVersion ?? 4),
        // Version 3 takes this as a header, version 4 as a parameter.
        ...(apiVersion === 3 && call.query?.["all_content"] === true ? { "all-content": "true" } : {}),
        ...(call.body === undefined ? {} : { "content-type": "application/xml" }),
        ...(call.correlationId === undefined ? {} : { "correlation-id": call.correlationId }),
        ...identity,
      },
      ...(call.body === undefined ? {} : { body: call.body.xml }),
      fresh: !isIdempotent(call),
      timeoutMs: call.timeoutMs ?? this.#timings.requestTimeoutMs,
      signal: isIdempotent(call) ? call.signal : new AbortController().signal,
    });
    this.#login.answered(answer);
    return answer;
  }
}

function isIdempotent(call: Call): boolean {
  return call.idempotent ?? call.method !== "POST";
}

function queryText(query: CallOptions["query"] = {}): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) parameters.set(name, String(value));
  return parameters.size === 0 ? "" : `?${parameters.toString()}`;
}

function exhausted(error: unknown, patienceMs: number): unknown {
  const tried = `tried for ${patienceMs / 1000} s`;
  if (error instanceof EngineConflictError) {
    return new EngineConflictError(`${error.message} (${tried})`, {
      cause: error,
      context: error.context,
      retry: "exhausted",
      hint: "Something holds it: a running backup, snapshot, transfer or migration. The engine's task list shows which.",
    });
  }
  if (error instanceof EngineUnavailableError) {
    return new EngineUnavailableError(`${error.message} (${tried})`, {
      cause: error,
      context: error.context,
      retry: "exhausted",
      sent: error.sent,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
    });
  }
  return error;
}
