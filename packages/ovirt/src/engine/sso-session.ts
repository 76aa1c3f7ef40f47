import { z } from "zod";

import { AuthenticationError, ManagerError, unlessAborted } from "@ovault/contract";

import { EngineAnswerError, EngineUnavailableError } from "./errors.ts";
import type { HttpAnswer, HttpTransport } from "./http-transport.ts";
import type { Session } from "./session.ts";

export interface SsoSessionOptions {
  readonly transport: HttpTransport;
  /** `/ovirt-engine` */
  readonly rootPath: string;
  readonly user: string;
  readonly password: string;
  readonly timeoutMs: number;
}

const SCOPE = "ovirt-app-api";
const LOGOUT_TIMEOUT_MS = 5_000;

/**
 * The engine's single sign-on: a bearer token for user and password. Its lifetime is unknown (the expiry that the
 * engine sends is no lifetime), so it is used until the engine refuses it. Concurrent requests share one login.
 */
export class SsoSession implements Session {
  readonly #options: SsoSessionOptions;
  readonly #closing = new AbortController();
  #token: string | undefined;
  #login: Promise<string> | undefined;

  constructor(options: SsoSessionOptions) {
    this.#options = options;
  }

  async headers(signal: AbortSignal): Promise<Readonly<Record<string, string>>> {
    return bearer(this.#token ?? (await unlessAborted(this.#sharedLogin(), signal)));
  }

  learn(): void {
    // A bearer token needs no cookie.
  }

  refused(headers: Readonly<Record<string, string>>): boolean {
    const stale = this.#token !== undefined && headers["authorization"] === bearer(this.#token).authorization;
    if (stale) this.#token = undefined;
    return true;
  }

  async close(): Promise<void> {
    const token = this.#token;
    this.#token = undefined;
    if (token !== undefined) {
      const form = { scope: SCOPE, token };
      await this.#post("/services/sso-logout", form, LOGOUT_TIMEOUT_MS).catch(() => undefined);
    }
    this.#closing.abort();
  }

  #sharedLogin(): Promise<string> {
    this.#login ??= this.#logIn().finally(() => (this.#login = undefined));
    return this.#login;
  }

  async #logIn(): Promise<string> {
    const { user, password, timeoutMs } = this.#options;
    const form = { grant_type: "password", scope: SCOPE, username: user, password };
    const token = readToken(await this.#post("/sso/oauth/token", form, timeoutMs), user);
    this.#token = token;
    return token;
  }

  #post(path: string, form: Readonly<Record<string, string>>, timeoutMs: number): Promise<HttpAnswer> {
    return this.#options.transport.exchange({
      method: "POST",
      path: this.#options.rootPath + path,
      headers: { accept: "application/json", "content-type": "application/x-www-form-urlencoded" },
      body: new URLSearchParams(form).toString(),
      timeoutMs,
      signal: this.#closing.signal,
    });
  }
}

function bearer(token: string): { readonly authorization: string } {
  return { authorization: `Bearer ${token}` };
}

const answerSchema = z.object({
  access_token: z.string().min(1).optional(),
  error_code: z.string().optional(),
  error: z.string().optional(),
  error_description: z.string().optional(),
});

/** Some versions wrap the answer in a list of one, and a refusal comes as HTTP 400. */
function readToken(answer: HttpAnswer, user: string): string {
  if (answer.status >= 502 && answer.status <= 504) {
    throw new EngineUnavailableError(`the engine's login service is not ready: HTTP ${answer.status}`, {
      context: { status: answer.status },
      hint: "It may be starting; its state shows in `systemctl status ovirt-engine`.",
      sent: false,
    });
  }
  const parsed = answerSchema.safeParse([parseJson(answer.text)].flat()[0]);
  const token = parsed.data?.access_token;
  if (answer.status === 200 && token !== undefined) return token;
  const said = parsed.data?.error_description ?? parsed.data?.error ?? parsed.data?.error_code;
  if ((answer.status === 400 || answer.status === 401) && said !== undefined) throw refusal(user, said);
  if (answer.status === 401) throw refusal(user, "HTTP 401");
  if (said !== undefined) throw new ManagerError(`the engine's login service failed: ${said}`);
  throw new EngineAnswerError(`the engine's login service sent no token: HTTP ${answer.status}`, {
    context: { status: answer.status },
    hint: "Check the url. Engines before 4.0 have no such service: leave out auth, or set auth: basic.",
  });
}

function refusal(user: string, said: string): AuthenticationError {
  return new AuthenticationError(`the engine refuses to log in ${user}: ${said.slice(0, 300)}`, {
    context: { user },
    hint: user.endsWith("@internal")
      ? "Check the password. A 4.5 engine with Keycloak wants admin@ovirt@internalsso instead of admin@internal."
      : "Check user, profile (what follows the last @) and password; too many failures lock an account for a while.",
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
