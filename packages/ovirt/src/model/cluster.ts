import type { XmlElement } from "../engine/xml-element.ts";
import { parseVersion, type EngineVersion } from "./engine-version.ts";

/** A cluster of hosts. */
export interface Cluster {
  readonly id: string;
  readonly name: string;
  /** The compatibility level, e.g. 4.7. */
  readonly version: EngineVersion | undefined;
  readonly dataCenterId: string | undefined;
  readonly architecture: string | undefined;
}

/** Parses one `<cluster>`. */
export function parseCluster(element: XmlElement): Cluster {
  return {
    id: element.requireId("cluster"),
    name: element.value("name") ?? "",
    version: parseVersion(element),
    dataCenterId: element.idOf("data_center"),
    architecture: element.value("cpu", "architecture")?.toLowerCase(),
  };
}
