import type { XmlElement } from "../engine/xml-element.ts";

/** A network device as the guest agent reports it. */
export interface ReportedDevice {
  readonly id: string;
  readonly name: string;
  readonly type: string | undefined;
  readonly mac: string | undefined;
  readonly addresses: readonly string[];
}

/** Parses one `<reported_device>`. */
export function parseReportedDevice(element: XmlElement): ReportedDevice {
  const addresses = element.list("ips", "ip", (ip) => ip.value("address"));
  return {
    id: element.requireId("reported_device"),
    name: element.value("name") ?? "",
    type: element.value("type"),
    mac: element.value("mac", "address"),
    addresses: addresses.filter((address) => address !== undefined),
  };
}
