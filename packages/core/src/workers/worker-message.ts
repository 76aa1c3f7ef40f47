/** A job on its way to a worker thread. */
export interface WorkerRequest<J> {
  readonly number: number;
  readonly job: J;
}

/** What came of it. Of an error, only what it says arrives. */
export type WorkerReply =
  { readonly number: number; readonly result: unknown } | { readonly number: number; readonly failure: WorkerFailure };

export interface WorkerFailure {
  readonly message: string;
  /** Of an error that was raised on purpose. */
  readonly code: string | undefined;
  readonly hint: string | undefined;
}
