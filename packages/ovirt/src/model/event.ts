import type { XmlElement } from "../engine/xml-element.ts";

/** A line of the engine's audit log. */
export interface EngineEvent {
  /** Rises with time. */
  readonly id: string;
  readonly code: number | undefined;
  /** `normal`, `warning`, `error`, `alert`. */
  readonly severity: string | undefined;
  readonly time: string | undefined;
  /** Localised: for people. */
  readonly description: string | undefined;
  readonly correlationId: string | undefined;
  readonly vmId: string | undefined;
  readonly hostId: string | undefined;
}

/** Parses one `<event>`. */
export function parseEvent(element: XmlElement): EngineEvent {
  return {
    id: element.requireId("event"),
    code: element.int("code"),
    severity: element.value("severity"),
    time: element.value("time"),
    description: element.value("description"),
    correlationId: element.value("correlation_id"),
    vmId: element.idOf("vm"),
    hostId: element.idOf("host"),
  };
}
