type Report = (text: string) => void;

let report: Report = (text) => process.emitWarning(text);
const said = new Set<string>();

/** Warns of something about this machine that concerns no single run: each text once in a process. */
export function warnOnce(text: string): void {
  if (said.has(text)) return;
  said.add(text);
  report(text);
}

/** Where the warnings of this thread go from now on. By default Node.js prints them. */
export function reportWarningsTo(to: Report): void {
  report = to;
}
