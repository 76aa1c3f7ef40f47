import * as fc from "fast-check";
import { expect, test } from "vitest";

import { readXml, type XmlNode } from "../src/engine/xml/read-xml.ts";
import { writeXml } from "../src/engine/xml/write-xml.ts";
import type { XmlObject } from "../src/engine/xml/xml-value.ts";

const fields: readonly (readonly [string, XmlObject | string])[] = [
  ["description", "nightly"],
  ["direction", "download"],
  ["disks", { disk: [{ "@id": "a" }, { "@id": "b" }, { "@id": "c" }] }],
  ["format", "raw"],
  ["host", { "@id": "h" }],
  ["inactivity_timeout", "300"],
  ["shallow", "true"],
];

function understood(node: XmlNode): unknown {
  return {
    description: node.text("description"),
    direction: node.choice(["upload", "download"], "direction"),
    disks: node.children("disks", "disk").map((disk) => disk.attribute("id")),
    format: node.text("format"),
    host: node.child("host")?.attribute("id"),
    seconds: node.integer("inactivity_timeout"),
    shallow: node.flag("shallow"),
  };
}

test("a request means the same in whatever order its elements come, with unknown ones between", () => {
  const unknown = fc.array(fc.constantFrom("zeta", "comment", "link"), { maxLength: 3 });
  fc.assert(
    fc.property(fc.shuffledSubarray([...fields], { minLength: fields.length }), unknown, (shuffled, strangers) => {
      const content = Object.fromEntries([...strangers.map((name) => [name, { x: "1" }] as const), ...shuffled]);
      const node = readXml(writeXml({ root: "image_transfer", content }));
      expect(understood(node)).toEqual(
        understood(readXml(writeXml({ root: "r", content: Object.fromEntries(fields) }))),
      );
    }),
  );
});

test("any text survives writing and reading, an OVF inside an element too", () => {
  const text = fc
    .string({ unit: "grapheme", minLength: 1 })
    .map((raw) => `a${raw.replace(/[^\t\n\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, "")}z`);
  fc.assert(
    fc.property(text, (value) => {
      const node = readXml(writeXml({ root: "vm", content: { "@id": "1", name: value } }));
      expect(node.text("name")).toBe(value);
    }),
  );
});

test("numeric references, CDATA and entities of other writers are understood", () => {
  expect(readXml("<vm><name>&#34;a&#x41;&lt;&amp;lt;</name></vm>").text("name")).toBe('"aA<&lt;');
  expect(readXml("<vm><name><![CDATA[<x>]]></name></vm>").text("name")).toBe("<x>");
});

test("numbers, flags and choices that are none are bad requests", () => {
  const node = readXml(
    "<disk><provisioned_size>big</provisioned_size><sparse>maybe</sparse><format>vmdk</format></disk>",
  );
  expect(() => node.integer("provisioned_size")).toThrow(expect.objectContaining({ status: 400 }));
  expect(() => node.flag("sparse")).toThrow(expect.objectContaining({ status: 400 }));
  expect(() => node.choice(["raw", "cow"], "format")).toThrow(expect.objectContaining({ status: 400 }));
});
