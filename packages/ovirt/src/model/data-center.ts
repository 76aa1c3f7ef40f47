import type { XmlElement } from "../engine/xml-element.ts";
import { parseVersion, type EngineVersion } from "./engine-version.ts";

/** A data center: hosts that see the same storage domains. */
export interface DataCenter {
  readonly id: string;
  readonly name: string;
  readonly status: string | undefined;
  readonly local: boolean | undefined;
  /** The compatibility level. */
  readonly version: EngineVersion | undefined;
  readonly storageFormat: string | undefined;
  /** `disabled`, `audit`, or `enabled`: enforced. */
  readonly quotaMode: string | undefined;
}

/** Parses one `<data_center>`. */
export function parseDataCenter(element: XmlElement): DataCenter {
  return {
    id: element.requireId("data_center"),
    name: element.value("name") ?? "",
    status: element.state("status"),
    local: element.bool("local"),
    version: parseVersion(element),
    storageFormat: element.value("storage_format"),
    quotaMode: element.value("quota_mode"),
  };
}
