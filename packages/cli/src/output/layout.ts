import { escapeLine } from "./escape-controls.ts";
import type { Block, Column, TableBlock, View } from "./view.ts";

/** A view as text for a terminal or a pipe; an empty line separates blocks. */
export function layOut(view: View): string {
  return view.map((block) => `${layOutBlock(block)}\n`).join("\n");
}

function layOutBlock(block: Block): string {
  switch (block.kind) {
    case "text":
      return block.text;
    case "table":
      return layOutTable(block);
    case "facts": {
      const width = Math.max(...block.facts.map(([name]) => name.length));
      return block.facts.map(([name, value]) => `${name.padEnd(width)}  ${escapeLine(value)}`).join("\n");
    }
  }
}

function layOutTable({ columns, rows, empty }: TableBlock): string {
  if (rows.length === 0) return empty;
  const lines = [columns.map(({ title }) => title.toUpperCase()), ...rows.map((row) => row.map(escapeLine))];
  const widths = columns.map((_, index) => Math.max(...lines.map((line) => line[index]?.length ?? 0)));
  return lines.map((line) => layOutRow(line, columns, widths)).join("\n");
}

function layOutRow(cells: readonly string[], columns: readonly Column[], widths: readonly number[]): string {
  return columns
    .map(({ align }, index) => {
      const [cell, width] = [cells[index] ?? "", widths[index] ?? 0];
      return align === "right" ? cell.padStart(width) : cell.padEnd(width);
    })
    .join("  ")
    .trimEnd();
}
