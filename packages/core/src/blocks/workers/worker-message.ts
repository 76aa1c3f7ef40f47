/** A job on its way to a worker thread. */
export interface WorkerRequest<J> {
  readonly number: number;
  readonly job: J;
}

/** The result of a job. Of an error, only its text, code and hint arrive. */
export type WorkerReply =
  { readonly number: number; readonly result: unknown } | { readonly number: number; readonly failure: WorkerFailure };

/** A warning of a thread about this machine, apart from results. */
export interface WorkerWarning {
  readonly warning: string;
}

export interface WorkerFailure {
  readonly message: string;
  /** Set for an OvaultError. */
  readonly code: string | undefined;
  readonly hint: string | undefined;
}
