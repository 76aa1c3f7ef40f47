import { ImageioConnectionError } from "./errors.ts";

/** The parts of an answer's status line and header fields that the client needs. */
export interface AnswerHead {
  readonly status: number;
  /** Length of the body, in bytes. */
  readonly length: number;
  /** Empty when there is none. */
  readonly contentRange: string;
  /** The connection may be used again. */
  readonly keepAlive: boolean;
}

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-5]\d\d)(?: |$)/;
const FIELD = /^([\w!#$%&'*+.^`|~-]+):[ \t]*(.*?)[ \t]*$/;

/**
 * Reads the head of an HTTP/1 answer, without the empty line at its end. Bodies must have a Content-Length: imageio
 * sends one with every answer (2.5.3, all of them recorded), and a body that ends with the connection cannot be
 * distinguished from a truncated one.
 *
 * @throws ImageioConnectionError when the head is invalid
 */
export function parseAnswerHead(text: string): AnswerHead {
  const [statusLine = "", ...lines] = text.split("\r\n");
  const found = STATUS_LINE.exec(statusLine);
  if (found === null) throw noAnswer(`begins with ${JSON.stringify(statusLine.slice(0, 40))}`);
  const status = Number(found[2]);
  const fields = parseFields(lines);
  if (fields.has("transfer-encoding")) throw noAnswer("has a Transfer-Encoding");
  const bodiless = status < 200 || status === 204 || status === 304;
  return {
    status,
    length: bodiless ? 0 : lengthOf(fields.get("content-length")),
    contentRange: fields.get("content-range") ?? "",
    keepAlive: found[1] === "1" && !/(^|,)\s*close\s*(,|$)/i.test(fields.get("connection") ?? ""),
  };
}

/** By name in lower case; what comes more than once is joined by commas. */
function parseFields(lines: readonly string[]): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  for (const line of lines) {
    const [, name, value = ""] = FIELD.exec(line) ?? [];
    if (name === undefined) throw noAnswer("has a line that is no header field");
    const key = name.toLowerCase();
    const earlier = fields.get(key);
    fields.set(key, earlier === undefined ? value : `${earlier},${value}`);
  }
  return fields;
}

function lengthOf(text: string | undefined): number {
  const length = Number(text);
  if (text === undefined || !/^\d+$/.test(text) || !Number.isSafeInteger(length))
    throw noAnswer("has no Content-Length");
  return length;
}

function noAnswer(reason: string): ImageioConnectionError {
  return new ImageioConnectionError(`what came instead of an answer of imageio ${reason}`, { retry: "transient" });
}
