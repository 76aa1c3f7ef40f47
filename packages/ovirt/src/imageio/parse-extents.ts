import { SourceError } from "@ovault/contract";

/** One entry of imageio's extents list. In bytes. */
export interface ImageioExtent {
  readonly start: number;
  readonly length: number;
  /** Reads as zeros. */
  readonly zero: boolean;
  /** Not allocated in the layer that is read (zero context, QCOW2 only). */
  readonly hole?: boolean;
  /** Changed since the checkpoint (dirty context). */
  readonly dirty?: boolean;
}

/** Far above the length of any single entry. */
const MAX_ENTRY_CHARS = 64 * 1024;

/**
 * Parses imageio's extents, a JSON array of flat objects, as it arrives: memory holds one piece of the body, however
 * long the list. @throws SourceError when the extents do not ascend without gaps from 0, or the list is truncated
 */
export async function* parseExtents(body: AsyncIterable<Uint8Array>): AsyncGenerator<ImageioExtent> {
  const decoder = new TextDecoder();
  let position = 0;
  let text = "";
  let separator = "[";
  for await (const chunk of body) {
    text += decoder.decode(chunk, { stream: true });
    // Entries hold no objects and no strings, so a closing brace always ends one.
    const end = text.lastIndexOf("}") + 1;
    if (end === 0) {
      if (text.length > MAX_ENTRY_CHARS) throw malformed("an entry without end");
      continue;
    }
    for (const entry of parseList(separator, text.slice(0, end))) {
      const extent = toExtent(entry);
      if (extent.start !== position) throw malformed(`expected an extent at ${position}, got one at ${extent.start}`);
      position += extent.length;
      yield extent;
    }
    text = text.slice(end);
    separator = ",";
  }
  const tail = (text + decoder.decode()).trim();
  if (tail !== (separator === "[" ? "[]" : "]")) throw malformed("it ends early");
}

/** `text` is whole entries after `separator`. */
function parseList(separator: string, text: string): readonly unknown[] {
  const start = text.trimStart();
  if (!start.startsWith(separator)) throw malformed(`no "${separator}" where one belongs`);
  try {
    const list: unknown = JSON.parse(`[${start.slice(1)}]`);
    if (Array.isArray(list)) return list;
  } catch (error) {
    throw malformed("it is not JSON", error);
  }
  throw malformed("it is not a list");
}

function toExtent(entry: unknown): ImageioExtent {
  if (typeof entry !== "object" || entry === null) throw malformed("an entry is not an object");
  const { start, length, zero, hole, dirty }: Partial<Record<string, unknown>> = { ...entry };
  if (!isOffset(start) || !isOffset(length) || length === 0) throw malformed("an entry without start or length");
  return {
    start,
    length,
    // Daemons before 2.2 leave `zero` out of dirty extents; unknown counts as data.
    zero: zero === true,
    ...(typeof hole === "boolean" ? { hole } : {}),
    ...(typeof dirty === "boolean" ? { dirty } : {}),
  };
}

function isOffset(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function malformed(what: string, cause?: unknown): SourceError {
  return new SourceError(`imageio's list of extents is broken: ${what}`, cause === undefined ? {} : { cause });
}
