import type { EngineCaller } from "../engine/engine-caller.ts";
import { parseEvent, type EngineEvent } from "../model/event.ts";
import { parseList } from "../model/parse-list.ts";

/** The engine's audit log: it gives the reasons of failures. */
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
}
