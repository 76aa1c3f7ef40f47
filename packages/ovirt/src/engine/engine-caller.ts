import type { XmlFragment } from "./build-xml.ts";
import type { XmlElement } from "./xml-element.ts";

/** Told, for people, what a call waits for and why, before its first repetition. */
export type OnWait = (what: string) => void;

export interface CallOptions {
  readonly signal: AbortSignal;
  /** Added to the path; `undefined` entries are left out. */
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  /** Carrying it out twice is the same as once, so it may be repeated when an answer was lost. Default: all but POST. */
  readonly idempotent?: boolean;
  /** How long a conflict (HTTP 409) is met with patience; 0: it is an error at once. Default: the client's. */
  readonly conflictDeadlineMs?: number;
  /** For one exchange. Default: the client's. */
  readonly timeoutMs?: number;
}

/**
 * Talks to the engine's API, version 4. Paths are relative to it: `/vms/123`. Each call resolves to the root element of the
 * answer (of no name after an empty body) and throws typed errors: `EntityNotFoundError`, `EngineConflictError`,
 * `EngineFaultError`, `EnginePermissionError`, `EngineAnswerError`, `EngineUnavailableError`, core's
 * `AuthenticationError`, `CertificateError`; an aborted signal is its reason.
 */
export interface EngineCaller {
  /** Time between two looks at something that is waited for. */
  readonly pollMs: number;
  /** How long what nobody waits for may take to show. */
  readonly inFlightMs: number;
  /** How long what passes by itself is waited for: a conflict, a lock, a migration. */
  readonly conflictDeadlineMs: number;
  /** How long a host is waited for whose imageio does not answer. */
  readonly hostPatienceMs: number;
  /** Told what is waited for, also beside calls. */
  readonly onWait?: OnWait | undefined;
  get(path: string, options: CallOptions): Promise<XmlElement>;
  post(path: string, body: XmlFragment, options: CallOptions): Promise<XmlElement>;
  put(path: string, body: XmlFragment, options: CallOptions): Promise<XmlElement>;
  delete(path: string, options: CallOptions): Promise<XmlElement>;
}
