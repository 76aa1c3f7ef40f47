import type { EngineCaller } from "../engine/engine-caller.ts";
import { parseEvent, type EngineEvent } from "../model/event.ts";
import { parseJob, type Job } from "../model/job.ts";
import { parseList } from "../model/parse-list.ts";
import { path } from "./paths.ts";

/** The engine's audit log and its jobs: they give the reasons of failures. */
export class EventService {
  readonly #engine: EngineCaller;

  constructor(engine: EngineCaller) {
    this.#engine = engine;
  }

  /**
   * Newest first.
   *
   * @param options.search in the engine's language, or a backup's id @param options.from only events with a higher id
   */
  async list(
    options: { readonly search?: string; readonly max?: number; readonly from?: string },
    signal: AbortSignal,
  ): Promise<readonly EngineEvent[]> {
    const root = await this.#engine.get("/events", { query: { ...options }, signal });
    return parseList(root, "events", "event", parseEvent);
  }

  async jobs(signal: AbortSignal): Promise<readonly Job[]> {
    return parseList(await this.#engine.get("/jobs", { signal }), "jobs", "job", parseJob);
  }

  /** @throws EntityNotFoundError also for one that was purged */
  async job(jobId: string, signal: AbortSignal): Promise<Job> {
    return parseJob(await this.#engine.get(path("jobs", jobId), { signal }));
  }
}
