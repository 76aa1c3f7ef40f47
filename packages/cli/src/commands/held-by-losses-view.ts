import { text, type View } from "../output/view.ts";

/** Why prune frees no pack, and what to do. `points`: ids of those with lost pages. */
export function heldByLossesView(points: readonly string[]): View {
  if (points.length === 0) return [];
  return [
    text(
      "Pages of block maps of these points are lost, and anything may be needed below them. No pack is freed:",
      ...points.map((id) => `  ${id}`),
    ),
    text(
      "Put back what is missing, back the machines up, or copy the points from elsewhere, then run `ovault repair`. Or give " +
        "them up: `ovault forget POINT`, or `ovault prune --give-up-lost`.",
    ),
  ];
}
