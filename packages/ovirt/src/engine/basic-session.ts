import type { HttpAnswer } from "./http-transport.ts";
import type { Session } from "./session.ts";

/** A logout request: given the session's headers, asks the engine to forget them. */
type Logout = (headers: Readonly<Record<string, string>>) => Promise<unknown>;

/**
 * HTTP basic authentication. `Prefer: persistent-auth` and the cookie keep one engine session; without them the engine logs
 * in and out at every request.
 */
export class BasicSession implements Session {
  readonly #authorization: string;
  readonly #logout: Logout;
  readonly #cookies = new Map<string, string>();

  constructor(user: string, password: string, logout: Logout) {
    this.#authorization = `Basic ${Buffer.from(`${user}:${password}`, "utf8").toString("base64")}`;
    this.#logout = logout;
  }

  headers(): Promise<Readonly<Record<string, string>>> {
    return Promise.resolve({ ...this.#identity(), prefer: "persistent-auth" });
  }

  learn(answer: HttpAnswer): void {
    for (const cookie of answer.cookies) {
      const [pair = ""] = cookie.split(";");
      const equals = pair.indexOf("=");
      if (equals > 0) this.#cookies.set(pair.slice(0, equals).trim(), pair.slice(equals + 1).trim());
    }
  }

  refused(headers: Readonly<Record<string, string>>): boolean {
    this.#cookies.clear();
    return "cookie" in headers;
  }

  /** A request with the cookie and without the preference ends the session. */
  async close(): Promise<void> {
    if (this.#cookies.size === 0) return;
    const identity = this.#identity();
    this.#cookies.clear();
    await this.#logout(identity).catch(() => undefined);
  }

  #identity(): Readonly<Record<string, string>> {
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    return cookie === "" ? { authorization: this.#authorization } : { authorization: this.#authorization, cookie };
  }
}
