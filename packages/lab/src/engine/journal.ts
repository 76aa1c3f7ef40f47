import { randomUUID } from "node:crypto";

import type { EventState, JobState } from "./engine-state.ts";
import type { StateStore } from "./state-store.ts";

/** What an event says besides its code. */
export interface EventText {
  readonly description: string;
  readonly severity?: EventState["severity"];
  readonly vmId?: string;
  readonly correlationId?: string;
  readonly origin?: string;
  readonly customId?: number;
}

/** Events and jobs: what the engine tells about its own doings. */
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
    this.#store.state.jobs[job.id] = job;
    this.#store.changed();
    return job;
  }

  endJob(job: JobState, status: "finished" | "failed"): void {
    job.status = status;
    job.endedAt = new Date().toISOString();
    this.#store.changed();
  }
}
