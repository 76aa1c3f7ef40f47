/** A range of a text and its replacement. */
export interface TextEdit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** Drops edits inside an edited range: the outer edit decides. Insertions precede what follows them. */
export function editText(text: string, edits: readonly TextEdit[]): string {
  let result = "";
  let position = 0;
  for (const edit of edits.toSorted((a, b) => a.start - b.start || inserts(b) - inserts(a) || b.end - a.end)) {
    if (edit.start < position) continue;
    result += text.slice(position, edit.start) + edit.text;
    position = edit.end;
  }
  return result + text.slice(position);
}

function inserts({ start, end }: TextEdit): number {
  return start === end ? 1 : 0;
}
