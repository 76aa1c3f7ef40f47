/** A job on its way to a worker thread. */
export interface WorkerRequest<J> {
  readonly number: number;
  readonly job: J;
}

/** What came of it. An error of a thread arrives as what it says. */
export type WorkerReply =
  { readonly number: number; readonly result: unknown } | { readonly number: number; readonly failure: WorkerFailure };

export interface WorkerFailure {
  readonly message: string;
  /** The data could not be what it should be. */
  readonly isIntegrity: boolean;
}
