import { escapeLine } from "./escape-controls.ts";

/** A command's result for people, as plain data: handlers return it, only the renderer prints it. */
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
  /** Printed in place of an empty table. */
  readonly empty: string;
}

export interface Column {
  readonly title: string;
  /** Numbers are right-aligned for comparison. */
  readonly align: "left" | "right";
}

/** A list of names and values. */
export interface FactsBlock {
  readonly kind: "facts";
  readonly facts: readonly (readonly [name: string, value: string])[];
}

/** Each stays on one line, whatever it contains. */
export function text(...lines: readonly string[]): TextBlock {
  return { kind: "text", text: lines.map(escapeLine).join("\n") };
}

/** Columns whose title starts with `>` are right-aligned. */
export function table(titles: readonly string[], rows: readonly (readonly string[])[], empty: string): TableBlock {
  const columns = titles.map((title): Column =>
    title.startsWith(">") ? { title: title.slice(1), align: "right" } : { title, align: "left" },
  );
  return { kind: "table", columns, rows, empty };
}

/** Omits facts without a value. */
export function facts(pairs: readonly (readonly [name: string, value: string | undefined])[]): FactsBlock {
  return { kind: "facts", facts: pairs.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])) };
}
