type Report = (text: string) => void;

let report: Report = (text) => process.emitWarning(text);
const said = new Set<string>();

/** Warns about this machine, independent of any run: each text once per process. */
export function warnOnce(text: string): void {
  if (said.has(text)) return;
  said.add(text);
  report(text);
}

/** Sets where the warnings of this thread go. By default Node.js prints them. */
export function reportWarningsTo(to: Report): void {
  report = to;
}
