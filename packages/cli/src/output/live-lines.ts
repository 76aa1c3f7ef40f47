/** So many lines at most, whatever the terminal: a page of them tells nobody anything. */
const MOST_LINES = 12;
const CLEAR_LINE = "\r\u001B[K";
const CLEAR_LINE_ABOVE = "\u001B[1A\u001B[K";

/** Lines at the end of a terminal that are redrawn in place: what to write for that. */
export class LiveLines {
  #drawn = 0;

  /** Puts these lines in the place of those that were drawn last. */
  draw(lines: readonly string[], { columns, rows }: { readonly columns: number; readonly rows: number }): string {
    const most = Math.max(1, Math.min(MOST_LINES, rows - 1));
    const more = lines.length - most + 1;
    const shown = lines.length <= most ? lines : [...lines.slice(0, most - 1), `… and ${more} more`];
    const cleared = this.clear();
    this.#drawn = shown.length;
    return cleared + shown.map((line) => line.slice(0, columns - 1)).join("\n");
  }

  /** Takes them away; the cursor is where the first began. */
  clear(): string {
    const cleared = this.#drawn === 0 ? "" : CLEAR_LINE + CLEAR_LINE_ABOVE.repeat(this.#drawn - 1);
    this.#drawn = 0;
    return cleared;
  }
}
