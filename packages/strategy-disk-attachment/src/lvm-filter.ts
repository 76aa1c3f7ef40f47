const CLOSING: ReadonlyMap<string, string> = new Map([
  ["(", ")"],
  ["[", "]"],
  ["{", "}"],
]);

/**
 * Whether an LVM filter admits a device, by LVM's rules: the first pattern that matches a name accepts or rejects that
 * name; a device is admitted by its first accepted name, and by names that match no pattern.
 *
 * @param filter patterns such as `a|^/dev/vda|` and `r|.*|`
 * @throws SyntaxError for an invalid pattern
 */
export function admits(filter: readonly string[], names: readonly string[]): boolean {
  const patterns = filter.map(parsePattern);
  const verdicts = names.map((name) => patterns.find(({ expression }) => expression.test(name))?.accepts);
  if (verdicts.includes(true)) return true;
  return !verdicts.includes(false);
}

function parsePattern(text: string): { readonly accepts: boolean; readonly expression: RegExp } {
  const [kind, opening = ""] = text;
  const closing = CLOSING.get(opening) ?? opening;
  const end = text.lastIndexOf(closing);
  if ((kind !== "a" && kind !== "r") || end < 2) throw new SyntaxError(`${text} is no pattern of an LVM filter`);
  return { accepts: kind === "a", expression: new RegExp(text.slice(2, end)) };
}
