import { messageOf, unlessAborted } from "@ovault/contract";

import { BasicSession } from "./basic-session.ts";
import type { XmlFragment } from "./build-xml.ts";
import type { ApiVersion, CallOptions, DeleteOptions, EngineCaller, OnWait } from "./engine-caller.ts";
import { parseEngineUrl, type EngineAddress } from "./engine-url.ts";
import { EngineAnswerError, EngineConflictError, EngineUnavailableError } from "./errors.ts";
import { findOldApi, isVersion3 } from "./find-old-api.ts";
import { HttpTransport, type HttpAnswer, type HttpRequest } from "./http-transport.ts";
import { loginRefused } from "./login-refused.ts";
import { pause } from "./pause.ts";
import { readAnswer } from "./read-answer.ts";
import type { Session } from "./session.ts";
import { SsoSession } from "./sso-session.ts";
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
const MOST_SESSIONS = 5;
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
  readonly #options: EngineClientOptions;
  #session: Session;
  #apiPath: string;
  #apiVersion: ApiVersion | undefined;
  #look: Promise<boolean> | undefined;
  /** Authorization of the last request that the engine let in. */
  #acceptedSession: string | undefined;
  /** The engine has answered before: from now on silence means a restart, not a wrong address. */
  #proven = false;

  /** Opens no connection yet. @throws ConfigurationError for an unusable url or user name */
  constructor(options: EngineClientOptions) {
    const { user, password } = options;
    parseUserName(user);
    this.#options = options;
    this.address = parseEngineUrl(options.url);
    this.#apiPath = this.address.apiPath;
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
    this.#session =
      options.auth === "basic"
        ? this.#basicSession()
        : new SsoSession({
            transport,
            rootPath: this.address.rootPath,
            user,
            password,
            timeoutMs: this.#timings.requestTimeoutMs,
          });
  }

  async apiVersion(signal: AbortSignal): Promise<ApiVersion> {
    // Single sign-on settles it without a request of its own; basic authentication does not.
    if (this.#apiVersion === undefined) {
      await this.#patiently({ method: "GET", path: "", signal }, () => this.#identity(signal));
    }
    if (this.#apiVersion === undefined) await this.get("", { signal });
    return this.#apiVersion ?? 4;
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
    await this.#session.close();
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
    const knownEngine = this.#proven || (unavailable && error.context["status"] === 503);
    return knownEngine && (repeatable || turnedAway) ? this.#timings.restartBudgetMs : 0;
  }

  /**
   * One attempt; repeated once when the engine no longer knows the session, and again when it has accepted the new one
   * from others meanwhile: requests side by side share a session, which may end before each of them had its turn.
   */
  async #attempt(call: Call): Promise<XmlElement> {
    for (let sessions = 1; ; sessions += 1) {
      const headers = await this.#identity(call.signal);
      const answer = await this.#exchange(call, headers);
      const session = headers["authorization"];
      if (answer.status !== 401) {
        this.#acceptedSession = session;
        const root = readAnswer(answer, call);
        this.#apiVersion ??= isVersion3(root) ? 3 : root.name === "api" ? 4 : undefined;
        return root;
      }
      const mayRepeat = sessions === 1 || (session === this.#acceptedSession && sessions < MOST_SESSIONS);
      if (this.#session.refused(headers) && mayRepeat) continue;
      throw loginRefused();
    }
  }

  /** Logs in where that is needed. On the first login, single sign-on that is not there leads to an older API. */
  async #identity(signal: AbortSignal): Promise<Readonly<Record<string, string>>> {
    try {
      const headers = await this.#session.headers(signal);
      if (this.#session instanceof SsoSession) this.#apiVersion = 4;
      return headers;
    } catch (error) {
      const known = this.#proven && this.#apiVersion !== 3;
      const mayLook = isNoService(error) && !known && this.#options.auth === undefined;
      if (!mayLook) throw error;
      this.#look ??= this.#lookForOldApi().finally(() => (this.#look = undefined));
      if (!(await unlessAborted(this.#look, signal))) throw error;
      return await this.#session.headers(signal);
    }
  }

  /** True when an API of version 3 answered: from now on calls go there, with basic authentication. */
  async #lookForOldApi(): Promise<boolean> {
    if (this.#apiVersion === 3) return true;
    const session = this.#basicSession();
    const found = await findOldApi(this.#apiPath, async (path) => {
      const answer = await this.#transport.exchange({
        method: "GET",
        path,
        headers: { accept: "application/xml", version: "3", ...(await session.headers()) },
        timeoutMs: this.#timings.requestTimeoutMs,
        signal: new AbortController().signal,
      });
      session.learn(answer);
      return answer;
    });
    if (found === undefined) return false;
    this.#apiPath = found;
    this.#apiVersion = 3;
    this.#session = session;
    this.#proven = true;
    return true;
  }

  #basicSession(): BasicSession {
    const { user, password } = this.#options;
    return new BasicSession(user, password, (headers) => this.#logOutOf(headers));
  }

  /**
   * A request that creates something is not interrupted once sent: only its answer says what to undo. The next request
   * sees the abort.
   */
  async #exchange(call: Call, identity: Readonly<Record<string, string>>): Promise<HttpAnswer> {
    call.signal.throwIfAborted();
    const answer = await this.#transport.exchange({
      method: call.method,
      path: this.#apiPath + call.path + queryText(call.query),
      headers: {
        accept: "application/xml",
        "accept-language": "en-US",
        version: String(this.#apiVersion ?? 4),
        // Version 3 takes this as a header, version 4 as a parameter.
        ...(this.#apiVersion === 3 && call.query?.["all_content"] === true ? { "all-content": "true" } : {}),
        ...(call.body === undefined ? {} : { "content-type": "application/xml" }),
        ...(call.correlationId === undefined ? {} : { "correlation-id": call.correlationId }),
        ...identity,
      },
      ...(call.body === undefined ? {} : { body: call.body.xml }),
      fresh: !isIdempotent(call),
      timeoutMs: call.timeoutMs ?? this.#timings.requestTimeoutMs,
      signal: isIdempotent(call) ? call.signal : new AbortController().signal,
    });
    this.#session.learn(answer);
    if (answer.status < 400) this.#proven = true;
    return answer;
  }

  #logOutOf(headers: Readonly<Record<string, string>>): Promise<HttpAnswer> {
    return this.#transport.exchange({
      method: "GET",
      path: this.#apiPath,
      headers: { accept: "application/xml", version: String(this.#apiVersion ?? 4), ...headers },
      timeoutMs: 5_000,
      signal: new AbortController().signal,
    });
  }
}

/** A page, a redirect or nothing where single sign-on belongs; an engine that fails has the service. */
function isNoService(error: unknown): boolean {
  if (!(error instanceof EngineAnswerError)) return false;
  const status = Number(error.context["status"]);
  return status < 400 || status === 404;
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
