/** Maximum number of lines; more would be unreadable. */
const MOST_LINES = 12;
const CLEAR_LINE = "\r\u001B[K";
const CLEAR_LINE_ABOVE = "\u001B[1A\u001B[K";

/** Lines at the end of a terminal that are redrawn in place: returns the output for it. */
export class LiveLines {
  #drawn = 0;

  /** Replaces the lines drawn last. */
  draw(lines: readonly string[], { columns, rows }: { readonly columns: number; readonly rows: number }): string {
    const most = Math.max(1, Math.min(MOST_LINES, rows - 1));
    const more = lines.length - most + 1;
    const shown = lines.length <= most ? lines : [...lines.slice(0, most - 1), `… and ${more} more`];
    const cleared = this.clear();
    this.#drawn = shown.length;
    return cleared + shown.map((line) => line.slice(0, columns - 1)).join("\n");
  }

  /** Removes the lines; leaves the cursor where the first began. */
  clear(): string {
    const cleared = this.#drawn === 0 ? "" : CLEAR_LINE + CLEAR_LINE_ABOVE.repeat(this.#drawn - 1);
    this.#drawn = 0;
    return cleared;
  }
}
