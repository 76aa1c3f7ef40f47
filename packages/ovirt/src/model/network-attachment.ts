import type { XmlElement } from "../engine/xml-element.ts";

/** A network on a card of a host. */
export interface NetworkAttachment {
  readonly id: string;
  readonly networkId: string | undefined;
  readonly hostNicId: string | undefined;
  /** Static addresses; those from DHCP are not listed. */
  readonly addresses: readonly string[];
}

/** Parses one `<network_attachment>`. */
export function parseNetworkAttachment(element: XmlElement): NetworkAttachment {
  const assignments = element.child("ip_address_assignments")?.all("ip_address_assignment") ?? [];
  return {
    id: element.requireId("network_attachment"),
    networkId: element.idOf("network"),
    hostNicId: element.idOf("host_nic"),
    addresses: assignments.map((one) => one.value("ip", "address")).filter((address) => address !== undefined),
  };
}
