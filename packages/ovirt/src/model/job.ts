import type { XmlElement } from "../engine/xml-element.ts";

/** A job of the engine. Purged after 10 minutes (finished) or 60 (failed) by default. */
export interface Job {
  readonly id: string;
  readonly description: string | undefined;
  /** `started`, `finished`, `failed`, `aborted`, `unknown`. */
  readonly status: string;
  readonly startTime: string | undefined;
  readonly endTime: string | undefined;
  readonly correlationId: string | undefined;
}

/** Parses one `<job>`. */
export function parseJob(element: XmlElement): Job {
  return {
    id: element.requireId("job"),
    description: element.value("description"),
    status: element.state("status")?.toLowerCase() ?? "unknown",
    startTime: element.value("start_time"),
    endTime: element.value("end_time"),
    correlationId: element.value("correlation_id"),
  };
}
