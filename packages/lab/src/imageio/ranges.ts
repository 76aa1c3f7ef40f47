import { HttpRefusal } from "./errors.ts";

/** A Range header: `last` is inclusive, `undefined` means "to the end". */
export interface RequestedRange {
  readonly first: number;
  readonly last: number | undefined;
}

/** Reads a Range header as imageio does: one range of bytes, no suffixes. @throws HttpRefusal, status 416 */
export function parseRange(header: string): RequestedRange {
  if (/^bytes=-\d+$/.test(header)) throw new HttpRefusal(416, "suffix-byte-range-spec not supported yet");
  const match = /^bytes=(?<first>\d+)-(?<last>\d*)$/.exec(header);
  if (match?.groups === undefined) {
    throw new HttpRefusal(416, `Cannot satisfy range '${header}', invalid range or multiple ranges`);
  }
  const { first = "", last = "" } = match.groups;
  const range = { first: Number(first), last: last === "" ? undefined : Number(last) };
  if (range.last !== undefined && range.first > range.last) {
    throw new HttpRefusal(416, `Cannot satisfy range '${header}', first > last`);
  }
  return range;
}

/** The offset of a Content-Range header; only validates its end and total. @throws HttpRefusal, status 400 */
export function parseContentRange(header: string): number {
  const match = /^bytes (?<first>\d+)-(?<last>\d+|\*)\/(?<total>\d+|\*)$/.exec(header);
  if (match?.groups === undefined) throw new HttpRefusal(400, `Invalid Content-Range '${header}'`);
  const first = Number(match.groups["first"]);
  const last = match.groups["last"] === "*" ? undefined : Number(match.groups["last"]);
  const total = match.groups["total"] === "*" ? undefined : Number(match.groups["total"]);
  if (last !== undefined && first > last) {
    throw new HttpRefusal(400, `Invalid Content-Range '${header}', first > last`);
  }
  if (last !== undefined && total !== undefined && last >= total) {
    throw new HttpRefusal(400, `Invalid Content-Range '${header}', last >= complete`);
  }
  return first;
}

/** 416 with the available size. */
export function outOfRange(availableBytes: number, text: string): HttpRefusal {
  return new HttpRefusal(416, text, { headers: { "content-range": `bytes */${availableBytes}` } });
}
