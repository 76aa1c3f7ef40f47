import type { XmlElement } from "../engine/xml-element.ts";

/** A point in time from which changes are tracked. Each is a bitmap in the disks. */
export interface Checkpoint {
  readonly id: string;
  /** Absent for the oldest one. */
  readonly parentId: string | undefined;
  readonly creationDate: string | undefined;
  readonly description: string | undefined;
  /** `created` or `invalid`; absent before 4.4.7. */
  readonly state: string | undefined;
  readonly vmId: string | undefined;
}

/** Parses one `<checkpoint>`. */
export function parseCheckpoint(element: XmlElement): Checkpoint {
  return {
    id: element.requireId("checkpoint"),
    parentId: element.value("parent_id"),
    creationDate: element.value("creation_date"),
    description: element.value("description"),
    state: element.value("state"),
    vmId: element.idOf("vm"),
  };
}
