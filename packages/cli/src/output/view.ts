import { escapeLine } from "./escape-controls.ts";

/**
 * What a person sees of a command's result, as plain data: handlers return it, the renderer alone prints it.
 */
export type View = readonly Block[];

export type Block = TextBlock | TableBlock | FactsBlock;

/** Lines of text. */
export interface TextBlock {
  readonly kind: "text";
  readonly text: string;
}

export interface TableBlock {
  readonly kind: "table";
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly string[])[];
  /** Printed in place of a table without rows. */
  readonly empty: string;
}

export interface Column {
  readonly title: string;
  /** Numbers go right, so that they can be compared by eye. */
  readonly align: "left" | "right";
}

/** A list of names and values. */
export interface FactsBlock {
  readonly kind: "facts";
  readonly facts: readonly (readonly [name: string, value: string])[];
}

/** Each of them is one line, whatever stands in it. */
export function text(...lines: readonly string[]): TextBlock {
  return { kind: "text", text: lines.map(escapeLine).join("\n") };
}

/** Columns whose title starts with `>` are aligned right. */
export function table(titles: readonly string[], rows: readonly (readonly string[])[], empty: string): TableBlock {
  const columns = titles.map((title): Column =>
    title.startsWith(">") ? { title: title.slice(1), align: "right" } : { title, align: "left" },
  );
  return { kind: "table", columns, rows, empty };
}

/** Facts without a value are left out. */
export function facts(pairs: readonly (readonly [name: string, value: string | undefined])[]): FactsBlock {
  return { kind: "facts", facts: pairs.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])) };
}
