import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";

import { IntegrityError, MissingLibraryError, WorkerError, OvaultError, messageOf } from "@ovault/contract";
import { warnOnce } from "../../util/warn-once.ts";
import type { WorkerFailure, WorkerReply, WorkerRequest, WorkerWarning } from "./worker-message.ts";

/** Threads at most; each takes some 15 MiB, and more than this are hardly ever fed. */
const MOST_THREADS = 8;
/** Jobs that a thread is given at once, so that the next is at hand when one is done. */
const JOBS_AHEAD = 2;

interface Waiting<J> {
  readonly job: J;
  /** What is given away with the job. */
  readonly memory: readonly ArrayBuffer[];
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Threads that do jobs one after the other, each by the same program. They are started when there is more to do than those
 * that run can take, or before that by `start`, stay for the next time, and do not keep the process alive when they are
 * idle. A thread that dies fails the jobs it had; the next job starts another.
 */
export class WorkerPool<J> {
  readonly #program: URL;
  readonly #size = Math.min(MOST_THREADS, availableParallelism());
  readonly #threads = new Set<Thread<J>>();
  readonly #waiting: Waiting<J>[] = [];

  constructor(program: URL) {
    this.#program = program;
  }

  /** Resolves to what the program answers. `memory` moves to the thread: whoever looked at it finds it empty. */
  run(job: J, memory: readonly ArrayBuffer[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ job, memory, resolve, reject });
      this.#handOut();
    });
  }

  /** Starts so many threads ahead of their first jobs: loading their program takes longer than many a job. */
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
        // No message can carry it.
        next?.reject(error);
      }
    }
  }

  /** Undefined when all have enough to do. */
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

/** One worker thread and the jobs it has. */
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
    // Not before there is a listener for messages, which undoes it.
    this.#worker.unref();
  }

  get load(): number {
    return this.#jobs.size;
  }

  take(waiting: Waiting<J>): void {
    const request: WorkerRequest<J> = { number: this.#nextNumber, job: waiting.job };
    this.#nextNumber += 1;
    this.#worker.postMessage(request, waiting.memory);
    // The process must not end in the middle of it.
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
