/**
 * Control characters but newline (C0, DEL, C1), line and paragraph separators, and characters that change text
 * direction: names come from engines and stores, and a terminal executes control sequences.
 */
const CONTROLS = /[^\P{Cc}\n]|[\u061C\u200E\u200F\u2028-\u202E\u2066-\u2069]/gu;

/** Shows them as escapes: `\x1b`, `\u202e`. JSON stays valid, because it escapes C0 characters already. */
export function escapeControls(text: string): string {
  return text.replaceAll(CONTROLS, escaped);
}

/** Like escapeControls, for a single line: a newline in a name would start a line that looks like ovault's own. */
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
