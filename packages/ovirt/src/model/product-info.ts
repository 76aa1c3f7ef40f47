import { EngineAnswerError } from "../engine/errors.ts";
import type { XmlElement } from "../engine/xml-element.ts";
import { parseVersion, type EngineVersion } from "./engine-version.ts";

/** What the API root reports about the engine. */
export interface ProductInfo {
  /** `oVirt Engine`, `Red Hat Virtualization Manager`, `Oracle Linux Virtualization Manager`… */
  readonly name: string;
  readonly vendor: string | undefined;
  readonly version: EngineVersion;
}

/** Parses the answer to `GET /`. */
export function parseProductInfo(root: XmlElement): ProductInfo {
  const info = root.require("api").child("product_info");
  const version = info === undefined ? undefined : parseVersion(info);
  if (info === undefined || version === undefined) {
    throw new EngineAnswerError("the API root does not tell the product's version");
  }
  return { name: info.value("name") ?? "oVirt Engine", vendor: info.value("vendor"), version };
}
