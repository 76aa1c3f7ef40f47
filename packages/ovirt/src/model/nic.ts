import type { XmlElement } from "../engine/xml-element.ts";

/** A parameter of a network filter, e.g. `IP`. */
export interface NicFilter {
  readonly name: string;
  readonly value: string;
}

/** A network card of a virtual machine. */
export interface Nic {
  readonly id: string;
  readonly name: string;
  readonly interface: string | undefined;
  readonly mac: string | undefined;
  readonly plugged: boolean;
  readonly linked: boolean;
  /** Absent for a disconnected card. */
  readonly vnicProfileId: string | undefined;
  /** Version 3 only. */
  readonly networkId: string | undefined;
  /** Only where the answer followed the link (4.2). */
  readonly filters: readonly NicFilter[];
}

/** Parses one `<nic>`. */
export function parseNic(element: XmlElement): Nic {
  return {
    id: element.requireId("nic"),
    name: element.value("name") ?? "",
    interface: element.value("interface"),
    mac: element.value("mac", "address"),
    plugged: element.bool("plugged") ?? element.bool("active") ?? false,
    linked: element.bool("linked") ?? false,
    vnicProfileId: element.idOf("vnic_profile"),
    networkId: element.idOf("network"),
    filters: element.list("network_filter_parameters", "network_filter_parameter", (filter) => ({
      name: filter.value("name") ?? "",
      value: filter.value("value") ?? "",
    })),
  };
}
