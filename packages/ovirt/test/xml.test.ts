import { UsageError } from "@ovault/contract";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { element, field, reference } from "../src/engine/build-xml.ts";
import { EngineAnswerError } from "../src/engine/errors.ts";
import { parseXml } from "../src/engine/parse-xml.ts";
import { XmlElement } from "../src/engine/xml-element.ts";
import { decodeReferences, escapeXml } from "../src/engine/xml-references.ts";

/** Text that can stand in XML: no control characters but the three that XML knows, and no half characters. */
const writable = fc
  .string({ unit: "binary" })
  .map((text) => text.replaceAll(/[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/gu, ""));

function outcomeOf(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    return error;
  }
}

describe("writing", () => {
  test("whatever text goes in as content or attribute comes out again", () => {
    fc.assert(
      fc.property(writable, writable, (content, attribute) => {
        const parsed = parseXml(element("a", { b: attribute }, element("c", {}, content)).xml);
        expect(parsed.attributes.get("b")).toBe(attribute);
        expect(parsed.child("c")?.text).toBe(content);
      }),
      {
        examples: [
          ["]]>", "<!-- -->"],
          ["<![CDATA[x]]>", "&#x41;"],
          ["&amp;amp;", "\r\n\t"],
          ["\u{FEFF}", "🙂"],
        ],
      },
    );
  });

  test.each(["\0", "\u0007", "\uFFFE", "\uD800", "a\u001Bb"])("what XML cannot hold is refused: %j", (text) => {
    expect(() => escapeXml(text)).toThrow(UsageError);
  });

  test("absent fields leave no element behind", () => {
    const xml = element(
      "vm",
      { id: undefined },
      field("name", undefined),
      reference("cluster", undefined),
      field("a", 0),
    );
    expect(xml.xml).toBe("<vm><a>0</a></vm>");
  });
});

describe("reading", () => {
  test("only the predefined entities and character references are replaced", () => {
    expect(decodeReferences("&lt;&gt;&amp;&quot;&apos;&#65;&#x42;")).toBe("<>&\"'AB");
    expect(decodeReferences("&foo; &#0; &#x110000; &amp;lt; &")).toBe("&foo; &#0; &#x110000; &lt; &");
  });

  test("an answer with a large OVF inside is read whole", () => {
    const ovf = "<Item>&amp;</Item>".repeat(20_000);
    expect(parseXml(element("data", {}, ovf).xml).text).toBe(ovf);
  });

  test("CDATA is text as it stands", () => {
    expect(parseXml("<a>1&lt;<![CDATA[<&amp;>]]>2</a>").text).toBe("1<<&amp;>2");
  });

  test("each element knows its place in the text", () => {
    const text = '\uFEFF<?xml version="1.0"?>\r\n<!-- <x> --><a y="1>2">é🙂<b/><c ><d>1</d></c ></a>\n';
    const root = parseXml(text);
    const whole = (name: string): string[] => {
      const all = [root, ...root.descendants(name)].filter((one) => one.name === name);
      return all.map(({ source }) => text.slice(source.start, source.end));
    };
    expect(whole("a")).toEqual(['<a y="1>2">é🙂<b/><c ><d>1</d></c ></a>']);
    expect(whole("b")).toEqual(["<b/>"]);
    expect(whole("c")).toEqual(["<c ><d>1</d></c >"]);
  });

  test("values are read from children and attributes alike; what is empty is absent", () => {
    const root = parseXml('<a><b c="1"/><d> x </d><e></e><f><g>true</g></f></a>');
    expect(root.int("b", "c")).toBe(1);
    expect(root.value("d")).toBe("x");
    expect(root.value("e")).toBeUndefined();
    expect(root.bool("f", "g")).toBe(true);
    expect(root.value("no", "where")).toBeUndefined();
  });

  test.each(["1.5", "0x10", "1e3", "9007199254740993", "many"])("%s is no integer", (text) => {
    expect(() => parseXml(`<a><b>${text}</b></a>`).int("b")).toThrow(EngineAnswerError);
  });

  test.each([
    ["nothing", ""],
    ["text", "hello"],
    ["two roots", "<a/><b/>"],
    ["an element cut off", "<a><b></b>"],
    ["crossing elements", "<a><b></a></b>"],
    ["a document type", "<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>"],
    ["a name that is a trap", "<a><__proto__>1</__proto__></a>"],
    ["depth without end", "<a>".repeat(10_000) + "</a>".repeat(10_000)],
  ])("%s is refused", (_, text) => {
    expect(() => parseXml(text)).toThrow(EngineAnswerError);
  });

  test.each([
    ["tags alone", `<vms>${"<a/>".repeat(200_000)}</vms>`],
    ["one endless tag", `<vms ${Array.from({ length: 200_000 }, (_, index) => `a${index}="1"`).join(" ")}></vms>`],
    ["tags that open and close", `<vms>${"<a></a>".repeat(200_000)}</vms>`],
  ])("%s, which cost memory out of proportion, are refused", (_, text) => {
    expect(() => parseXml(text)).toThrow(EngineAnswerError);
  });

  test("a large answer takes memory in proportion to its length", () => {
    const vm = `<vm href="/ovirt-engine/api/vms/1" id="123"><name>web01</name><cpu><cores>1</cores></cpu></vm>`;
    const text = `<vms>${vm.repeat(50_000)}</vms>`;
    const before = process.memoryUsage().heapUsed;
    const root = parseXml(text);
    expect(root.children).toHaveLength(50_000);
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(60 * text.length);
  });

  test("no text makes it fail in another way", () => {
    const piece = fc.constantFrom(
      "<a>",
      "</a>",
      "<a/>",
      "<",
      ">",
      "&",
      ";",
      "<!--",
      "-->",
      "<![CDATA[",
      "]]>",
      '"',
      " x='1'",
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(piece, fc.string())), (pieces) => {
        const outcome = outcomeOf(() => parseXml(pieces.join("")));
        expect(outcome instanceof XmlElement || outcome instanceof EngineAnswerError).toBe(true);
      }),
    );
  });
});
