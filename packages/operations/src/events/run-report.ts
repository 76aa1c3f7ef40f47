import { systemClock, type Clock, type RecoveryPoint, type RunHooks, type SpanEvent } from "@ovault/contract";
import { newRunId } from "@ovault/core";

import type { InnerContext } from "../inner-context.ts";
import { summarizePoint } from "../summaries/point-summary.ts";
import { errorSummary } from "../text/error-summary.ts";
import { jobFailure } from "../text/job-failure.ts";
import { logicalBytesOf } from "./logical-bytes-of.ts";
import type { AnnouncedDisk, JobKind, RunCounts, RunEventBody, RunResults, RunSubject } from "./run-event.ts";

/** Shortest time between two events of one disk, or of counts. Below the 250 ms at which backups sample their pipeline. */
const PROGRESS_MS = 200;
const NAME = "RunReport";
const LAST = { name: NAME, stage: Number.MAX_SAFE_INTEGER };

/** Reports one run as events, from its hooks or directly. Nothing follows `finished` or `failed`. */
export class RunReport<K extends JobKind = JobKind> {
  readonly runId = newRunId();
  readonly #subject: RunSubject<K>;
  readonly #context: Pick<InnerContext, "reporter" | "signal" | "field">;
  readonly #clock: Clock;
  /** By disk, or by what is counted. */
  readonly #sentAtMs = new Map<string, number>();
  readonly #heldBack = new Map<string, RunEventBody>();
  /** What the last counts were about. */
  #counted: string | undefined;
  #started = false;
  #ended = false;

  constructor(subject: RunSubject<K>, context: Pick<InnerContext, "reporter" | "signal" | "clock" | "field">) {
    this.#subject = subject;
    this.#context = context;
    this.#clock = context.clock ?? systemClock;
  }

  /** A tap for the hooks of the run. The only place where hooks become events. */
  readonly follow = (hooks: RunHooks): void => {
    let sealed: RecoveryPoint | undefined;
    hooks.started.tap(NAME, () => this.start());
    hooks.selectDisks.tap(LAST, (disks) => {
      this.announce(disks);
      return disks;
    });
    hooks.phase.tap(NAME, ({ phase, detail }) => this.phase(phase, detail));
    hooks.opened.tap(NAME, (opened) => this.emit({ kind: "opened", ...opened }));
    hooks.span.tap(NAME, (span) => this.#progress(span));
    hooks.warning.tap(NAME, (message) => this.emit({ kind: "warning", of: "run", message }));
    hooks.copied.tap(NAME, () => this.emit({ kind: "copied" }));
    hooks.sealed.tap(NAME, (point) => void (sealed = point));
    hooks.failed.tap(NAME, (error) => this.fail(error));
    hooks.finished.tap(NAME, () => sealed && this.#end({ kind: "finished", result: summarizePoint(sealed) }));
  };

  /** Does nothing when the run has started. */
  start(): void {
    if (this.#started) return;
    this.#started = true;
    const { title, runs } = this.#subject;
    this.emit({ kind: "started", title, runs });
    this.#context.reporter.runBegins((body, at) => this.emit(body, at));
  }

  announce(disks: readonly AnnouncedDisk[]): void {
    this.emit({ kind: "disks", disks: disks.map(({ id, alias, logicalBytes }) => ({ id, alias, logicalBytes })) });
  }

  announcePoints(points: readonly RecoveryPoint[]): void {
    const announced = points.map((point) => {
      return { id: point.id, vm: point.vm.name, logicalBytes: logicalBytesOf(point) };
    });
    this.emit({ kind: "points", points: announced });
  }

  phase(phase: string, detail = ""): void {
    this.emit({ kind: "phase", phase, detail });
  }

  counted(counts: RunCounts): void {
    // Counts of a copy begin anew with each point.
    const counted = counts.of === "copy" ? counts.point : counts.of;
    if (counted !== this.#counted) this.#sendHeldBack();
    this.#counted = counted;
    this.#moved(counts.of, { kind: "counted", counts });
  }

  finish(result: RunResults[K]): void {
    this.#end({ kind: "finished", result });
  }

  fail(error: unknown): void {
    const { signal, field } = this.#context;
    this.#end({ kind: "failed", error: errorSummary(jobFailure(error, signal), field) });
  }

  /** The run waits; `what` says for what, for people. */
  waits(what: string): void {
    this.phase("wait", what);
  }

  /** The last progress before an event comes before it. `at`: when it happened, if not now. */
  emit(body: RunEventBody, at?: string): void {
    this.#sendHeldBack();
    this.#send(body, at);
  }

  #send(body: RunEventBody, at = this.#clock.now().toISOString()): void {
    if (this.#ended) return;
    const { job, machine } = this.#subject;
    this.#context.reporter.emit({ runId: this.runId, job, machine, at, ...body });
  }

  /** A disk that is complete says so at once: what follows on other disks may take hours. */
  #progress(span: SpanEvent): void {
    if (span.doneBytes === span.logicalBytes) this.#sentAtMs.delete(span.diskId);
    this.#moved(span.diskId, { kind: "progress", ...span });
  }

  /** Holds an event back that comes too early after the last one of its key; the next one takes its place. */
  #moved(key: string, body: RunEventBody): void {
    const now = this.#clock.elapsedMs();
    if (now - (this.#sentAtMs.get(key) ?? Number.NEGATIVE_INFINITY) < PROGRESS_MS) {
      this.#heldBack.set(key, body);
      return;
    }
    this.#sentAtMs.set(key, now);
    this.#heldBack.delete(key);
    this.#send(body);
  }

  #sendHeldBack(): void {
    const held = [...this.#heldBack.values()];
    this.#heldBack.clear();
    for (const body of held) this.#send(body);
  }

  #end(body: RunEventBody): void {
    this.emit(body);
    this.#ended = true;
  }
}
