/** What a terminal obeys instead of showing it: control characters but newline, and what turns the direction of a text. */
// oxlint-disable-next-line no-control-regex
export const OBEYED = /[\u0000-\u0009\u000B-\u001F\u007F-\u009F\u061C\u200E\u200F\u2028-\u202E\u2066-\u2069]/;
