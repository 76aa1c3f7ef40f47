import { ConfigurationError } from "../errors/errors.ts";

const BYTE_ORDER_MARK = "\uFEFF";

/**
 * Text that people wrote with whatever editor, as UTF-8. A byte order mark is no part of it.
 * @param title what it is, for the error, which holds nothing of it
 * @throws ConfigurationError when it is text in another encoding, or none
 */
export function decodeText(bytes: Uint8Array, title: string): string {
  // Every other byte of most texts in UTF-16, with or without its byte order mark.
  if (bytes.includes(0)) {
    throw new ConfigurationError(`${title} is not text in UTF-8: it holds NUL bytes, as UTF-16 does`, {
      hint: "Save it as UTF-8, or convert it: iconv -f UTF-16 -t UTF-8",
    });
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new ConfigurationError(`${title} is not text in UTF-8`, { hint: "Save it as UTF-8." });
  }
}

/** For text that was decoded by others. */
export function withoutByteOrderMark(text: string): string {
  return text.startsWith(BYTE_ORDER_MARK) ? text.slice(BYTE_ORDER_MARK.length) : text;
}
