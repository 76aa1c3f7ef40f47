import type { StandardSchemaV1 } from "@standard-schema/spec";
import { z } from "zod";

import { ConfigurationError } from "@ovault/contract";
import type { Origin } from "./origin.ts";
import { pathText, problemsOf, type Problem } from "./problems-of.ts";

/** Further problems are only counted: finding the lines of tens of thousands takes minutes. */
const MOST_SHOWN = 100;

/**
 * Checks a value of the configuration against a schema. The error lists all problems, as `line N: path: problem`, and
 * never echoes values, because one of them may be a misplaced secret.
 * @param keysBeside keys that another schema checks, also proposed for a misspelt key
 * @throws ConfigurationError
 */
export function validate<T>(
  schema: z.ZodType<T>,
  value: unknown,
  origin: Origin,
  keysBeside: readonly string[] = [],
): T {
  const result = schema.safeParse(value, { reportInput: true });
  if (result.success) return result.data;
  throw invalid(origin, problemsOf(result.error, schema, keysBeside));
}

/**
 * Checks the options of a plugin, as `validate`. For a schema that is not zod's, reports its paths and messages.
 * @throws ConfigurationError
 */
export async function validateOptions<T>(
  schema: StandardSchemaV1<unknown, T>,
  value: unknown,
  origin: Origin,
  keysBeside: readonly string[] = [],
): Promise<T> {
  if (isZod(schema)) {
    const checked = await schema.safeParseAsync(value, { reportInput: true });
    if (checked.success) return checked.data;
    throw invalid(origin, problemsOf(checked.error, schema, keysBeside));
  }
  const result = await schema["~standard"].validate(value);
  if (result.issues === undefined) return result.value;
  const problems = result.issues.map(({ path = [], message }) => ({
    path: path.map((segment) => (typeof segment === "object" ? segment.key : segment)),
    problem: message,
  }));
  throw invalid(origin, problems);
}

/** Also true for another copy of zod, as a plugin may load. */
function isZod<T>(schema: StandardSchemaV1<unknown, T>): schema is StandardSchemaV1<unknown, T> & z.ZodType<T> {
  return schema instanceof z.ZodType;
}

function invalid(origin: Origin, problems: readonly Problem[]): ConfigurationError {
  const lines = problems.slice(0, MOST_SHOWN).map(({ path, problem }) => {
    const fullPath = [...origin.path, ...path];
    const line = origin.lineOf(fullPath);
    return `  ${line === undefined ? "" : `line ${line}: `}${pathText(fullPath)}: ${problem}`;
  });
  if (problems.length > lines.length) lines.push(`  and ${problems.length - lines.length} more`);
  return new ConfigurationError(`${origin.file} is not valid:\n${lines.join("\n")}`, {
    context: { file: origin.file, problems: problems.length },
  });
}
