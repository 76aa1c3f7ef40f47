import { XMLBuilder } from "fast-xml-parser";

import type { XmlDocument } from "./xml-value.ts";

const builder = new XMLBuilder({
  ignoreAttributes: false,
  attributeNamePrefix: "@",
  suppressBooleanAttributes: false,
  suppressEmptyNode: true,
  format: true,
  indentBy: "    ",
});

const declaration = { "@version": "1.0", "@encoding": "UTF-8", "@standalone": "yes" };

/** Writes a document the way the engine does: declaration, UTF-8, indented by four. */
export function writeXml(document: XmlDocument): string {
  return builder.build({ "?xml": declaration, [document.root]: document.content });
}
