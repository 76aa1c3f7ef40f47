import { type Document, isNode, isScalar, LineCounter, parseDocument, visit } from "yaml";

import { ConfigurationError } from "@ovault/contract";

/** Path into a document: keys and list positions. */
export type DocumentPath = readonly PropertyKey[];

/** Where a value is written, so that an error about it can name file, line and path. */
export interface Origin {
  readonly file: string;
  readonly path: DocumentPath;
  /** Line, from 1, of the value at `path` or, if it is missing, of what should contain it. */
  lineOf(path: DocumentPath): number | undefined;
}

/** Parses YAML and keeps the position of every value. @throws ConfigurationError with line and column */
export function parseYaml(text: string, file: string): { readonly value: unknown; readonly origin: Origin } {
  const lines = new LineCounter();
  // The check for duplicate keys is below: the parser's is quadratic and takes minutes for a few hundred KiB of keys.
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: false });
  const [problem] = document.errors;
  if (problem?.code === "RESOURCE_EXHAUSTION") throw tooMuch(problem, file);
  if (problem !== undefined) {
    const { line, col } = lines.linePos(problem.pos[0]);
    throw new ConfigurationError(`${file}:${line}:${col}: ${problem.message}`, {
      context: { file, line, column: col },
    });
  }
  assertUniqueKeys(document, lines, file);
  const lineOf = (path: DocumentPath): number | undefined => {
    for (let length = path.length; length > 0; length--) {
      const node = document.getIn(path.slice(0, length), true);
      if (isNode(node) && node.range) return lines.linePos(node.range[0]).line;
    }
    return undefined;
  };
  return { value: valueOf(document, file) ?? {}, origin: { file, path: [], lineOf } };
}

function assertUniqueKeys(document: Document.Parsed, lines: LineCounter, file: string): void {
  visit(document, {
    Map: (_, { items }) => {
      const seen = new Set<unknown>();
      for (const { key } of items) {
        if (!isScalar(key)) continue;
        if (seen.has(key.value)) {
          const { line, col } = lines.linePos(key.range?.[0] ?? 0);
          throw new ConfigurationError(`${file}:${line}:${col}: keys must be unique: ${String(key.value)}`, {
            context: { file, line, column: col },
          });
        }
        seen.add(key.value);
      }
    },
  });
}

function valueOf(document: Document.Parsed, file: string): unknown {
  try {
    return document.toJS();
  } catch (error) {
    // Aliases of aliases: a few lines can expand to gigabytes.
    if (error instanceof ReferenceError || error instanceof RangeError) throw tooMuch(error, file);
    throw error;
  }
}

function tooMuch(cause: Error, file: string): ConfigurationError {
  return new ConfigurationError(`${file} is nested too deeply, or repeats too much by aliases`, {
    cause,
    context: { file },
  });
}

/** The origin of what lies below `origin` under `keys`. */
export function originBelow(origin: Origin, ...keys: readonly string[]): Origin {
  return { ...origin, path: [...origin.path, ...keys] };
}
