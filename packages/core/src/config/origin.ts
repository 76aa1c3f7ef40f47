import { isNode, LineCounter, parseDocument } from "yaml";

import { ConfigurationError } from "../errors/errors.ts";

/** Path into a document: keys and list positions. */
export type DocumentPath = readonly PropertyKey[];

/** Where a value was written, so that a complaint about it can name file, line and path. */
export interface Origin {
  readonly file: string;
  readonly path: DocumentPath;
  /** Line of the value at `path` or, where it is missing, of what should contain it. 1 is the first. */
  lineOf(path: DocumentPath): number | undefined;
}

/** Parses YAML and remembers where everything was. Throws ConfigurationError naming line and column. */
export function parseYaml(text: string, file: string): { readonly value: unknown; readonly origin: Origin } {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const [problem] = document.errors;
  if (problem !== undefined) {
    const { line, col } = lines.linePos(problem.pos[0]);
    throw new ConfigurationError(`${file}:${line}:${col}: ${problem.message}`, {
      context: { file, line, column: col },
    });
  }
  const lineOf = (path: DocumentPath): number | undefined => {
    for (let length = path.length; length > 0; length--) {
      const node = document.getIn(path.slice(0, length), true);
      if (isNode(node) && node.range) return lines.linePos(node.range[0]).line;
    }
    return undefined;
  };
  const value: unknown = document.toJS() ?? {};
  return { value, origin: { file, path: [], lineOf } };
}

/** The origin of what lies below `origin` under `keys`. */
export function originBelow(origin: Origin, ...keys: readonly string[]): Origin {
  return { ...origin, path: [...origin.path, ...keys] };
}
