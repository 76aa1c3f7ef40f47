/**
 * Whether the pattern matches all of `text`: `*` stands for any characters, also none, `?` for one, everything else for
 * itself. Takes time in proportion to pattern × text at most, whatever the pattern.
 */
export function matchesGlob(pattern: string, text: string): boolean {
  let [inPattern, inText] = [0, 0];
  /** The last star: where the pattern continues behind it, and how much text it covers. */
  let star: { readonly pattern: number; text: number } | undefined;
  while (inText < text.length) {
    if (pattern[inPattern] === "*") {
      inPattern += 1;
      star = { pattern: inPattern, text: inText };
    } else if (inPattern < pattern.length && (pattern[inPattern] === "?" || pattern[inPattern] === text[inText])) {
      inPattern += 1;
      inText += 1;
    } else if (star !== undefined) {
      star.text += 1;
      [inPattern, inText] = [star.pattern, star.text];
    } else return false;
  }
  while (pattern[inPattern] === "*") inPattern += 1;
  return inPattern === pattern.length;
}
