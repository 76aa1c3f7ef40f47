import { UsageError } from "@ovault/contract";

const PREDEFINED = new Map([
  ["amp", "&"],
  ["lt", "<"],
  ["gt", ">"],
  ["quot", '"'],
  ["apos", "'"],
]);

/** Characters that cannot stand in an XML 1.0 document in any form (XML 1.0, production 2). */
const UNWRITABLE = /[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/u;

/** What `dropUnwritable` looks at: CDATA, where references are plain text, character references, and what cannot stand. */
const PARTS = new RegExp(String.raw`<!\[CDATA\[[\s\S]*?\]\]>|&#(?:x([0-9a-f]+)|(\d+));|${UNWRITABLE.source}`, "giu");

/**
 * The document without characters that XML 1.0 cannot hold, literal or as references: engines let them into
 * descriptions, and refuse a document with them. Keeps everything else unchanged.
 */
export function dropUnwritable(document: string): string {
  return document.replaceAll(PARTS, (part: string, hex, decimal) => {
    if (part.startsWith("<![CDATA[")) return writable(part);
    if (!part.startsWith("&#")) return "";
    const codePoint = typeof hex === "string" ? Number.parseInt(hex, 16) : Number.parseInt(String(decimal), 10);
    return codePoint <= 0x10_ff_ff && !UNWRITABLE.test(String.fromCodePoint(codePoint)) ? part : "";
  });
}

/** Text without the characters that no XML document can hold. */
export function writable(text: string): string {
  return text.replaceAll(new RegExp(UNWRITABLE, "gu"), "");
}

/** Replaces predefined entities and character references; anything else that looks like a reference stays as it is. */
export function decodeReferences(text: string): string {
  return text.replaceAll(/&(?:#x([0-9a-f]{1,6})|#(\d{1,7})|([a-z]+));/gi, (whole: string, hex, decimal, name) => {
    if (typeof name === "string") return PREDEFINED.get(name) ?? whole;
    const codePoint = typeof hex === "string" ? Number.parseInt(hex, 16) : Number.parseInt(String(decimal), 10);
    return codePoint > 0 && codePoint <= 0x10_ff_ff ? String.fromCodePoint(codePoint) : whole;
  });
}

/**
 * Escapes text for element content and for attribute values in double quotes. Line ends and tabs are written as
 * references, because a parser would turn them into other white space.
 *
 * @throws UsageError when the text holds a character that no XML document can hold.
 */
export function escapeXml(text: string): string {
  if (UNWRITABLE.test(text)) {
    throw new UsageError("a control character cannot be sent to the engine", {
      context: { text: JSON.stringify(text) },
    });
  }
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll(/[\t\n\r]/g, (character) => `&#${character.charCodeAt(0)};`);
}
