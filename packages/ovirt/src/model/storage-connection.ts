import type { XmlElement } from "../engine/xml-element.ts";

/** How hosts reach a storage. */
export interface StorageConnection {
  readonly id: string;
  /** `nfs`, `iscsi`, `posixfs`… */
  readonly type: string | undefined;
  readonly address: string | undefined;
  readonly path: string | undefined;
}

/** Parses one `<storage_connection>`. */
export function parseStorageConnection(element: XmlElement): StorageConnection {
  return {
    id: element.requireId("storage_connection"),
    type: element.value("type"),
    address: element.value("address"),
    path: element.value("path"),
  };
}
