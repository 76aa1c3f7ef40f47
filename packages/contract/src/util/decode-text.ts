import { ConfigurationError } from "../errors/errors.ts";

const BYTE_ORDER_MARK = "\uFEFF";

/**
 * Decodes UTF-8 text from any editor, without its byte order mark.
 * @param title names the text in the error, which quotes nothing of it
 * @throws ConfigurationError when it is in another encoding, or not text
 */
export function decodeText(bytes: Uint8Array, title: string): string {
  // In UTF-16, every other byte of most texts is zero.
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

/** For text that is already decoded. */
export function withoutByteOrderMark(text: string): string {
  return text.startsWith(BYTE_ORDER_MARK) ? text.slice(BYTE_ORDER_MARK.length) : text;
}
