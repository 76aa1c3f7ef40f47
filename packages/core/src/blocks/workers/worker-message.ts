/** A job on its way to a worker thread. */
export interface WorkerRequest<J> {
  readonly number: number;
  readonly job: J;
}

/** What came of it. Of an error, only what it says arrives. */
export type WorkerReply =
  { readonly number: number; readonly result: unknown } | { readonly number: number; readonly failure: WorkerFailure };

/** What a thread has to say besides, about this machine. */
export interface WorkerWarning {
  readonly warning: string;
}

export interface WorkerFailure {
  readonly message: string;
  /** Of an error that was raised on purpose. */
  readonly code: string | undefined;
  readonly hint: string | undefined;
}
