import { randomUUID } from "node:crypto";

import type { EventState, JobState } from "./engine-state.ts";
import type { StateStore } from "./state-store.ts";

/** Content of an event besides its code. */
export interface EventText {
  readonly description: string;
  readonly severity?: EventState["severity"];
  readonly vmId?: string;
  readonly correlationId?: string;
  readonly origin?: string;
  readonly customId?: number;
}

/** More than any test reads back. */
const MAX_EVENTS = 5_000;
/** How long an ended job stays readable, in ms. */
const JOB_RETENTION_MS = 60 * 60_000;

/** Events and jobs: the engine's log of its own work. */
export class Journal {
  readonly #store: StateStore;

  constructor(store: StateStore) {
    this.#store = store;
  }

  event(code: number, text: EventText): EventState {
    const { events } = this.#store.state;
    const event: EventState = {
      severity: "normal",
      origin: "oVirt",
      ...text,
      id: (events.at(-1)?.id ?? 0) + 1,
      code,
      time: new Date().toISOString(),
    };
    events.push(event);
    if (events.length > MAX_EVENTS) events.shift();
    this.#store.changed();
    return event;
  }

  startJob(description: string, correlationId: string): JobState {
    const job: JobState = {
      id: randomUUID(),
      description,
      correlationId,
      status: "started",
      startedAt: new Date().toISOString(),
    };
    const { jobs } = this.#store.state;
    for (const { id, endedAt } of Object.values(jobs)) {
      if (endedAt !== undefined && Date.parse(endedAt) + JOB_RETENTION_MS < Date.now()) delete jobs[id];
    }
    jobs[job.id] = job;
    this.#store.changed();
    return job;
  }

  endJob(job: JobState, status: "finished" | "failed"): void {
    job.status = status;
    job.endedAt = new Date().toISOString();
    this.#store.changed();
  }
}
