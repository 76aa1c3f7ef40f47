import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";

import { IntegrityError, MissingLibraryError, WorkerError, OvaultError, messageOf } from "@ovault/contract";
import { warnOnce } from "../../util/warn-once.ts";
import type { WorkerFailure, WorkerReply, WorkerRequest, WorkerWarning } from "./worker-message.ts";

/** Limit of threads; each takes some 15 MiB, and more than this are hardly ever busy. */
const MOST_THREADS = 8;
/** Jobs that a thread holds at once, so that the next is ready when one is done. */
const JOBS_AHEAD = 2;

interface Waiting<J> {
  readonly job: J;
  /** Memory that moves to the thread with the job. */
  readonly memory: readonly ArrayBuffer[];
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Threads that run jobs one after the other, all by the same program. The pool starts a thread when the running ones
 * have enough to do, or earlier by `start`; threads stay for later jobs and do not keep the process alive when idle. A
 * thread that dies fails the jobs it had; the next job starts another.
 */
export class WorkerPool<J> {
  readonly #program: URL;
  readonly #size = Math.min(MOST_THREADS, availableParallelism());
  readonly #threads = new Set<Thread<J>>();
  readonly #waiting: Waiting<J>[] = [];

  constructor(program: URL) {
    this.#program = program;
  }

  /** Resolves to the program's answer. `memory` moves to the thread and is empty here afterwards. */
  run(job: J, memory: readonly ArrayBuffer[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ job, memory, resolve, reject });
      this.#handOut();
    });
  }

  /** Starts this many threads ahead of their first jobs: loading their program takes longer than many a job. */
  start(threads: number): void {
    while (this.#threads.size < Math.min(threads, this.#size)) this.#start();
  }

  #handOut(): void {
    while (this.#waiting.length > 0) {
      const thread = this.#leastBusy();
      if (thread === undefined) return;
      const next = this.#waiting.shift();
      try {
        if (next !== undefined) thread.take(next);
      } catch (error) {
        // A message cannot carry the job.
        next?.reject(error);
      }
    }
  }

  /** Undefined when all are fully loaded. */
  #leastBusy(): Thread<J> | undefined {
    let idlest: Thread<J> | undefined;
    for (const thread of this.#threads) if (idlest === undefined || thread.load < idlest.load) idlest = thread;
    if (idlest?.load !== 0 && this.#threads.size < this.#size) return this.#start();
    return idlest !== undefined && idlest.load < JOBS_AHEAD ? idlest : undefined;
  }

  #start(): Thread<J> {
    const thread = new Thread<J>(this.#program, {
      onReply: () => this.#handOut(),
      onEnd: () => {
        this.#threads.delete(thread);
        this.#handOut();
      },
    });
    this.#threads.add(thread);
    return thread;
  }
}

/** One worker thread and its jobs. */
class Thread<J> {
  readonly #worker: Worker;
  readonly #jobs = new Map<number, Waiting<J>>();
  #nextNumber = 0;
  #cause: unknown;

  constructor(program: URL, { onReply, onEnd }: { readonly onReply: () => void; readonly onEnd: () => void }) {
    this.#worker = new Worker(program);
    this.#worker.on("message", (reply: WorkerReply | WorkerWarning) => {
      if ("warning" in reply) return warnOnce(reply.warning);
      this.#settle(reply);
      onReply();
    });
    this.#worker.on("error", (error) => {
      this.#cause = error;
    });
    this.#worker.on("exit", (code) => {
      const jobs = [...this.#jobs.values()];
      this.#jobs.clear();
      for (const { reject } of jobs) {
        reject(this.#endedEarly(code));
      }
      onEnd();
    });
    // Only after the listener for messages was added, which would undo it.
    this.#worker.unref();
  }

  get load(): number {
    return this.#jobs.size;
  }

  take(waiting: Waiting<J>): void {
    const request: WorkerRequest<J> = { number: this.#nextNumber, job: waiting.job };
    this.#nextNumber += 1;
    this.#worker.postMessage(request, waiting.memory);
    // Keeps the process alive during the job.
    if (this.#jobs.size === 0) this.#worker.ref();
    this.#jobs.set(request.number, waiting);
  }

  #settle(reply: WorkerReply): void {
    const waiting = this.#jobs.get(reply.number);
    this.#jobs.delete(reply.number);
    if (this.#jobs.size === 0) this.#worker.unref();
    if ("result" in reply) waiting?.resolve(reply.result);
    else waiting?.reject(errorOf(reply.failure));
  }

  #endedEarly(code: number): WorkerError {
    const why = this.#cause === undefined ? `code ${code}` : messageOf(this.#cause);
    return new WorkerError(`a worker thread ended in the middle of its work: ${why}`, {
      cause: this.#cause,
      context: { code },
      hint: "Run it again; if that happens every time, look whether the machine runs out of memory.",
    });
  }
}

function errorOf({ message, code, hint }: WorkerFailure): OvaultError {
  const options = hint === undefined ? {} : { hint };
  switch (code) {
    case "E_INTEGRITY":
      return new IntegrityError(message, options);
    case "E_MISSING_LIBRARY":
      return new MissingLibraryError(message, options);
    default:
      return new OvaultError(message, options);
  }
}
