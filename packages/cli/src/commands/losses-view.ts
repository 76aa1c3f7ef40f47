import { plural } from "@ovault/contract";
import type { DiskLosses } from "@ovault/core";

import { formatBytes } from "@ovault/operations";
import { table, text, type View } from "../output/view.ts";

/** Limit of the text output; programs get all. */
const SHOWN_RANGES = 50;

/** Lost ranges of some disks, one by one. */
export function lossesView(losses: readonly DiskLosses[]): View {
  if (losses.length === 0) return [];
  const ranges = losses.flatMap((disk) => disk.ranges.map((range) => ({ ...range, alias: disk.alias })));
  const rows = ranges
    .slice(0, SHOWN_RANGES)
    .map(({ alias, offset, length, reason }) => [alias, String(offset), String(length), reason]);
  const more = ranges.length - rows.length;
  const amounts = losses.map(({ alias, lostBytes }) => `${formatBytes(lostBytes)} of ${alias}`);
  return [
    table(["disk", ">offset", ">length", "lost because"], rows, ""),
    text(`lost: ${amounts.join(", ")}${more > 0 ? `; ${plural(more, "more range")}, all of them with --json` : ""}`),
  ];
}
