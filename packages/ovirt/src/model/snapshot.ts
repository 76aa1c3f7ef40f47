import type { XmlElement } from "../engine/xml-element.ts";
import { parseOvf } from "./vm.ts";

/** A snapshot of a virtual machine. There is always one of type `active`: the machine as it is now. */
export interface Snapshot {
  readonly id: string;
  /** Not unique: store the id. */
  readonly description: string | undefined;
  readonly date: string | undefined;
  /** `ok`, `locked`, `in_preview`. */
  readonly status: string | undefined;
  /** `regular`, `active`, `stateless`, `preview`. */
  readonly type: string | undefined;
  readonly persistMemoryState: boolean;
  /** The configuration at snapshot time; only with `all_content`. */
  readonly ovf: string | undefined;
}

/** Parses one `<snapshot>`. */
export function parseSnapshot(element: XmlElement): Snapshot {
  return {
    id: element.requireId("snapshot"),
    description: element.value("description"),
    date: element.value("date"),
    status: element.state("snapshot_status"),
    type: element.value("snapshot_type") ?? element.value("type"),
    persistMemoryState: element.bool("persist_memorystate") ?? false,
    ovf: parseOvf(element),
  };
}
