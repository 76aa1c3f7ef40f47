import { unlessAborted } from "@ovault/contract";

import { BasicSession } from "./basic-session.ts";
import type { ApiVersion } from "./engine-caller.ts";
import type { EngineAddress } from "./engine-url.ts";
import { EngineAnswerError } from "./errors.ts";
import { isVersion3 } from "./find-old-api.ts";
import type { HttpAnswer, HttpTransport } from "./http-transport.ts";
import { lookForOldApi } from "./look-for-old-api.ts";
import type { Session } from "./session.ts";
import { SsoSession } from "./sso-session.ts";
import type { XmlElement } from "./xml-element.ts";

const MOST_SESSIONS = 5;
const LOGOUT_TIMEOUT_MS = 5_000;

export interface LoginParts {
  readonly transport: HttpTransport;
  readonly address: EngineAddress;
  readonly user: string;
  readonly password: string;
  /** Undefined: single sign-on, and basic authentication at an older API where there is none. */
  readonly auth: "sso" | "basic" | undefined;
  readonly timeoutMs: number;
}

type Headers = Readonly<Record<string, string>>;

/** The login at one engine, and what it has shown of its API: where it is, and its version. */
export class EngineLogin {
  readonly #parts: LoginParts;
  #session: Session;
  #apiPath: string;
  #apiVersion: ApiVersion | undefined;
  #look: Promise<boolean> | undefined;
  /** Authorization of the last request that the engine let in. */
  #acceptedSession: string | undefined;
  #proven = false;

  constructor(parts: LoginParts) {
    this.#parts = parts;
    this.#apiPath = parts.address.apiPath;
    this.#session =
      parts.auth === "basic" ? this.#basicSession() : new SsoSession({ ...parts, rootPath: parts.address.rootPath });
  }

  get apiPath(): string {
    return this.#apiPath;
  }

  /** Undefined while no answer has shown it. */
  get apiVersion(): ApiVersion | undefined {
    return this.#apiVersion;
  }

  /** The engine has answered before: from now on silence means a restart, not a wrong address. */
  get proven(): boolean {
    return this.#proven;
  }

  /**
   * Headers that identify the user; logs in where that is needed. On the first login, single sign-on that is not there
   * leads to an older API.
   */
  async identity(signal: AbortSignal): Promise<Headers> {
    try {
      const headers = await this.#session.headers(signal);
      if (this.#session instanceof SsoSession) this.#apiVersion = 4;
      return headers;
    } catch (error) {
      const known = this.#proven && this.#apiVersion !== 3;
      const mayLook = isNoService(error) && !known && this.#parts.auth === undefined;
      if (!mayLook) throw error;
      this.#look ??= this.#lookForOldApi().finally(() => (this.#look = undefined));
      if (!(await unlessAborted(this.#look, signal))) throw error;
      return await this.#session.headers(signal);
    }
  }

  /** Any answer to a request with these headers or others. */
  answered(answer: HttpAnswer): void {
    this.#session.learn(answer);
    if (answer.status < 400) this.#proven = true;
  }

  /** The engine has let a request with these headers in. */
  letIn(headers: Headers): void {
    this.#acceptedSession = headers["authorization"];
  }

  /** The root of an answer: that of the API itself shows its version. */
  showed(root: XmlElement): void {
    this.#apiVersion ??= isVersion3(root) ? 3 : root.name === "api" ? 4 : undefined;
  }

  /**
   * The engine has refused a request with these headers. True when another identity may be let in: the first time, and
   * again when the engine has accepted the new one from others meanwhile, because requests side by side share a session,
   * which may end before each of them had its turn.
   */
  mayRepeat(headers: Headers, sessions: number): boolean {
    const session = headers["authorization"];
    const isWorthIt = sessions === 1 || (session === this.#acceptedSession && sessions < MOST_SESSIONS);
    return this.#session.refused(headers) && isWorthIt;
  }

  /** Logs out. Never throws. */
  async close(): Promise<void> {
    await this.#session.close();
  }

  /** True when an API of version 3 answered: from now on calls go there, with basic authentication. */
  async #lookForOldApi(): Promise<boolean> {
    if (this.#apiVersion === 3) return true;
    const session = this.#basicSession();
    const found = await lookForOldApi({ ...this.#parts, session, apiPath: this.#apiPath });
    if (found === undefined) return false;
    this.#apiPath = found;
    this.#apiVersion = 3;
    this.#session = session;
    this.#proven = true;
    return true;
  }

  #basicSession(): BasicSession {
    const { user, password } = this.#parts;
    return new BasicSession(user, password, (headers) => this.#logOutOf(headers));
  }

  #logOutOf(headers: Headers): Promise<HttpAnswer> {
    return this.#parts.transport.exchange({
      method: "GET",
      path: this.#apiPath,
      headers: { accept: "application/xml", version: String(this.#apiVersion ?? 4), ...headers },
      timeoutMs: LOGOUT_TIMEOUT_MS,
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
