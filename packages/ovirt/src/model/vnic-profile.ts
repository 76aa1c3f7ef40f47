import type { XmlElement } from "../engine/xml-element.ts";

/** What a network card connects to: a network, with filters and quality of service. */
export interface VnicProfile {
  readonly id: string;
  readonly name: string;
  readonly networkId: string | undefined;
}

/** Parses one `<vnic_profile>`. */
export function parseVnicProfile(element: XmlElement): VnicProfile {
  return {
    id: element.requireId("vnic_profile"),
    name: element.value("name") ?? "",
    networkId: element.idOf("network"),
  };
}
