import type { XmlElement } from "../engine/xml-element.ts";

/** A pool of virtual machines. */
export interface VmPool {
  readonly id: string;
  readonly name: string;
  readonly sizeOfPool: number | undefined;
}

/** Parses one `<vm_pool>`, or version 3's `<vmpool>`. */
export function parseVmPool(element: XmlElement): VmPool {
  return {
    id: element.requireId(element.name === "vmpool" ? "vmpool" : "vm_pool"),
    name: element.value("name") ?? "",
    sizeOfPool: element.int("size"),
  };
}
