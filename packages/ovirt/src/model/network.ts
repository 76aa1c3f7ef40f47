import type { XmlElement } from "../engine/xml-element.ts";

/** A logical network of a data center. */
export interface Network {
  readonly id: string;
  readonly name: string;
  readonly dataCenterId: string | undefined;
  readonly vlanId: number | undefined;
  /** `vm`, `display`, `migration`, `management`… */
  readonly usages: readonly string[];
}

/** Parses one `<network>`. */
export function parseNetwork(element: XmlElement): Network {
  return {
    id: element.requireId("network"),
    name: element.value("name") ?? "",
    dataCenterId: element.idOf("data_center"),
    vlanId: element.int("vlan", "id"),
    usages: element.list("usages", "usage", (usage) => usage.text.trim()),
  };
}
