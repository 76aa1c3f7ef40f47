/**
 * Control characters but newline (C0, DEL, C1), line and paragraph separators, and what turns the direction of a text: names
 * come from engines and stores, and a terminal obeys what it is sent.
 */
const CONTROLS = /[^\P{Cc}\n]|[\u061C\u200E\u200F\u2028-\u202E\u2066-\u2069]/gu;

/** Shows them: `\x1b`, `\u202e`. JSON stays the JSON that it was, for it holds the former escaped already. */
export function escapeControls(text: string): string {
  return text.replaceAll(CONTROLS, escaped);
}

/** As escapeControls, for what is one line: a newline in a name would begin a line that looks like ovault's own. */
export function escapeLine(text: string): string {
  return escapeControls(text).replaceAll("\n", "\\n");
}

function escaped(character: string): string {
  const code = character.charCodeAt(0);
  return code < 0x20 ? `\\x${hex(code, 2)}` : `\\u${hex(code, 4)}`;
}

function hex(code: number, digits: number): string {
  return code.toString(16).padStart(digits, "0");
}
