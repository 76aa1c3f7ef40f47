import type { XmlElement } from "../engine/xml-element.ts";

/** A network card of a host. */
export interface HostNic {
  readonly id: string;
  readonly name: string;
  readonly status: string | undefined;
  readonly mac: string | undefined;
  readonly networkId: string | undefined;
  readonly addresses: readonly string[];
}

/** Parses one `<host_nic>`. */
export function parseHostNic(element: XmlElement): HostNic {
  const addresses = [element.value("ip", "address"), element.value("ipv6", "address")];
  return {
    id: element.requireId("host_nic"),
    name: element.value("name") ?? "",
    status: element.state("status"),
    mac: element.value("mac", "address"),
    networkId: element.idOf("network"),
    addresses: addresses.filter((address) => address !== undefined),
  };
}
