import { errorKind, type ErrorKind, type ErrorSummary } from "@ovault/operations";

import { EXIT, type ExitCode } from "./exit.ts";

/** The exit code for an error. */
export function exitCodeOf(error: unknown): ExitCode {
  return EXIT[errorKind(error)];
}

/**
 * The exit code of a command that did the same to several things, by the error of each (null: success): that of the
 * failures when all failed for the same kind of reason, `partial` when only some did, or kinds differ.
 */
export function exitCodeOfAll(errors: readonly (Pick<ErrorSummary, "kind"> | null)[]): ExitCode {
  const kinds = new Set(errors.map((error): ErrorKind | "ok" => error?.kind ?? "ok"));
  const [kind = "ok"] = kinds;
  return kinds.size > 1 ? EXIT.partial : EXIT[kind];
}
