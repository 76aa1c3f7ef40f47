import { randomBytes, timingSafeEqual, createHash } from "node:crypto";

import type { FaultSwitches } from "../faults.ts";

/** Life of an unused token, in ms. */
const IDLE_MS = 30 * 60_000;
/** Requests that the fault `token-expiry` leaves to a token. */
const REQUESTS_PER_TOKEN = 5;

interface Token {
  usedAt: number;
  requests: number;
}

/** Users, passwords, tokens and sessions, which are tokens in a cookie. Keeps tokens in memory only: a restart forgets them. */
export class Sso {
  readonly #user: string;
  readonly #password: string;
  readonly #faults: FaultSwitches;
  readonly #tokens = new Map<string, Token>();

  constructor(account: { readonly user: string; readonly password: string }, faults: FaultSwitches) {
    this.#user = account.user;
    this.#password = account.password;
    this.#faults = faults;
    faults.onSet((name, mode) => {
      if (name === "engine-restart" && mode !== "off") this.forgetAll();
    });
  }

  checkPassword(user: string, password: string): boolean {
    return same(user, this.#user) && same(password, this.#password);
  }

  issue(): string {
    const token = randomBytes(64).toString("base64url");
    this.#tokens.set(token, { usedAt: Date.now(), requests: 0 });
    return token;
  }

  revoke(token: string): void {
    this.#tokens.delete(token);
  }

  forgetAll(): void {
    this.#tokens.clear();
  }

  /** Whether the credentials of an `Authorization` header are valid. */
  authorize(header: string | undefined): boolean {
    const [scheme, credentials] = (header ?? "").split(" ");
    if (scheme === undefined || credentials === undefined) return false;
    if (scheme.toLowerCase() === "basic") return this.#authorizeBasic(credentials);
    return scheme.toLowerCase() === "bearer" && this.#authorizeToken(credentials);
  }

  /** Whether the value of a session's cookie is valid. */
  authorizeSession(value: string | undefined): boolean {
    return value !== undefined && this.#authorizeToken(value);
  }

  #authorizeBasic(credentials: string): boolean {
    const text = Buffer.from(credentials, "base64").toString("utf8");
    const colon = text.indexOf(":");
    return this.checkPassword(text.slice(0, colon), text.slice(colon + 1));
  }

  #authorizeToken(value: string): boolean {
    const mode = this.#faults.mode("token-expiry");
    if (mode === "once") {
      this.#faults.strikes("token-expiry");
      this.forgetAll();
    }
    const token = this.#tokens.get(value);
    if (token === undefined) return false;
    token.requests += 1;
    const worn = mode === "on" && token.requests > REQUESTS_PER_TOKEN;
    if (worn || Date.now() - token.usedAt > IDLE_MS) {
      this.#tokens.delete(value);
      return false;
    }
    token.usedAt = Date.now();
    return true;
  }
}

function same(a: string, b: string): boolean {
  return timingSafeEqual(digest(a), digest(b));
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
