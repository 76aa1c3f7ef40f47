import type { HttpAnswer } from "./http-transport.ts";

/** How requests authenticate. */
export interface Session {
  /** Headers for one request; logs in first where that is needed. */
  headers(signal: AbortSignal): Promise<Readonly<Record<string, string>>>;
  /** Sees every answer, e.g. to keep a session cookie. */
  learn(answer: HttpAnswer): void;
  /**
   * The engine refused these headers (HTTP 401). True when the next `headers` will differ, so that one retry makes
   * sense.
   */
  refused(headers: Readonly<Record<string, string>>): boolean;
  /** Logs out. Never throws. */
  close(): Promise<void>;
}
