import { callObserver, messageOf, systemClock, type Clock } from "@ovault/contract";

import type { JobContext } from "../job-context.ts";
import { harmlessReporter, type Reporter } from "../reporter.ts";
import type { RunEvent, RunEventBody } from "./run-event.ts";

/**
 * What one job tells its caller: lines for people, and events. What the job says beside its runs becomes events of its
 * first run too: at once, or as soon as that begins, with the time when it was said. Receivers of events get objects
 * of their own. A reporter or a receiver of events that fails, at once or later, never disturbs
 * the job.
 */
export class JobOutput implements Reporter {
  readonly #emit: JobContext["emit"];
  readonly #reporter: Reporter;
  readonly #clock: Clock;
  readonly #early: { readonly body: RunEventBody; readonly at: string }[] = [];
  #emitOfRun: ((body: RunEventBody, at?: string) => void) | undefined;
  #emitHasFailed = false;

  constructor({ emit, reporter, clock = systemClock }: Pick<JobContext, "emit" | "reporter" | "clock">) {
    this.#emit = emit;
    this.#clock = clock;
    this.#reporter = harmlessReporter(reporter);
  }

  note(line: string): void {
    this.#reporter.note(line);
    this.#emitBeside({ kind: "note", message: line });
  }

  warn(message: string): void {
    this.#reporter.warn(message);
    this.#emitBeside({ kind: "warning", of: "job", message });
  }

  emit(event: RunEvent): void {
    callObserver(
      () => this.#emit(structuredClone(event)),
      (error) => {
        if (!this.#emitHasFailed)
          this.#reporter.warn(`the receiver of events has failed, and may miss some: ${messageOf(error)}`);
        this.#emitHasFailed = true;
      },
    );
  }

  /** A run has begun; only the first one of the job receives what the job says. */
  runBegins(emit: (body: RunEventBody, at?: string) => void): void {
    if (this.#emitOfRun !== undefined) return;
    this.#emitOfRun = emit;
    for (const { body, at } of this.#early.splice(0)) emit(body, at);
  }

  #emitBeside(body: RunEventBody): void {
    if (this.#emitOfRun === undefined) this.#early.push({ body, at: this.#clock.now().toISOString() });
    else this.#emitOfRun(body);
  }
}
