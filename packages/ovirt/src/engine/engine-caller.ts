import type { XmlFragment } from "./build-xml.ts";
import type { XmlElement } from "./xml-element.ts";

/** Receives a message for people before a call's first retry: what it waits for and why. */
export type OnWait = (what: string) => void;

export interface CallOptions {
  readonly signal: AbortSignal;
  /** Added to the path; `undefined` entries are left out. */
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  /**
   * Repeating the request has no further effect, so it may be sent again when an answer was lost. Default: all but
   * POST.
   */
  readonly idempotent?: boolean;
  /** How long to retry after a conflict (HTTP 409); 0: throw at once. Default: the client's. */
  readonly conflictDeadlineMs?: number;
  /** For one exchange. Default: the client's. */
  readonly timeoutMs?: number;
}

/** Version 3 is what engines before 4.0 speak; all later ones speak version 4. */
export type ApiVersion = 3 | 4;

export interface DeleteOptions extends CallOptions {
  /** Version 3 takes the parameters of a deletion here. */
  readonly body?: XmlFragment;
}

/**
 * Talks to the engine's API. Paths are relative to it: `/vms/123`. Each call resolves to the root element of
 * the answer (without a name after an empty body) and throws typed errors: `EntityNotFoundError`,
 * `EngineConflictError`, `EngineFaultError`, `EnginePermissionError`, `EngineAnswerError`, `EngineUnavailableError`,
 * core's `AuthenticationError`, `CertificateError`; after an abort, the signal's reason.
 */
export interface EngineCaller {
  /** Time between two polls. */
  readonly pollMs: number;
  /** How long an orphaned request may take to become visible. */
  readonly inFlightMs: number;
  /** How long to wait for temporary states: a conflict, a lock, a migration. */
  readonly conflictDeadlineMs: number;
  /** How long to wait for a host whose imageio does not answer. */
  readonly hostPatienceMs: number;
  /** Receives a message for people about each wait, also outside calls. */
  readonly onWait?: OnWait | undefined;
  /** Settled by the login, or by the answer of the API's root; costs a request only where neither came before. */
  apiVersion(signal: AbortSignal): Promise<ApiVersion>;
  get(path: string, options: CallOptions): Promise<XmlElement>;
  post(path: string, body: XmlFragment, options: CallOptions): Promise<XmlElement>;
  put(path: string, body: XmlFragment, options: CallOptions): Promise<XmlElement>;
  delete(path: string, options: DeleteOptions): Promise<XmlElement>;
}
