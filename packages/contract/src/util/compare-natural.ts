import { compareText } from "./compare-text.ts";

/**
 * Order of names as people count and oVirt's engine sorts (its LexoNumericComparator): runs of digits by value, all
 * else by characters, ignoring case: `disk2` before `Disk10`. Names that compare equal are ordered as text.
 */
export function compareNatural(a: string, b: string): number {
  const [left, right] = [partsOf(a), partsOf(b)];
  for (const [index, part] of left.entries()) {
    const other = right[index];
    // Parts alternate: even ones are text (the first may be empty), odd ones digits.
    const order = other === undefined ? 1 : index % 2 === 0 ? compareFolded(part, other) : compareDigits(part, other);
    if (order !== 0) return order;
  }
  return left.length - right.length || compareText(a, b);
}

/** Alternating text and digits, without an empty last part. */
function partsOf(name: string): readonly string[] {
  const parts = name.split(/(\d+)/);
  return parts.at(-1) === "" ? parts.slice(0, -1) : parts;
}

/** By value, then as text: `012` before `12`. */
function compareDigits(a: string, b: string): number {
  const [left, right] = [a.replace(/^0+/, ""), b.replace(/^0+/, "")];
  return left.length - right.length || compareText(left, right) || compareText(a, b);
}

function compareFolded(a: string, b: string): number {
  return compareText(folded(a), folded(b));
}

/** Folds each UTF-16 unit by itself, so that no character becomes two. */
function folded(text: string): string {
  return Array.from({ length: text.length }, (_, at) => {
    const unit = text.charAt(at);
    const upper = unit.toUpperCase();
    const lower = (upper.length === 1 ? upper : unit).toLowerCase();
    return lower.length === 1 ? lower : unit;
  }).join("");
}
