import type { StandardSchemaV1 } from "@standard-schema/spec";
import { z } from "zod";

import { ConfigurationError, didYouMean } from "@ovault/contract";
import type { DocumentPath, Origin } from "./origin.ts";

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
    return `  ${line === undefined ? "" : `line ${line}: `}${fullPath.map(String).join(".")}: ${problem}`;
  });
  if (problems.length > lines.length) lines.push(`  and ${problems.length - lines.length} more`);
  return new ConfigurationError(`${origin.file} is not valid:\n${lines.join("\n")}`, {
    context: { file: origin.file, problems: problems.length },
  });
}

interface Problem {
  readonly path: DocumentPath;
  readonly problem: string;
}

function problemsOf(error: z.ZodError, schema: z.ZodType, keysBeside: readonly string[]): readonly Problem[] {
  return error.issues.flatMap((issue) => describe(issue, schema, keysBeside));
}

function describe(issue: z.core.$ZodIssue, schema: z.ZodType, keysBeside: readonly string[]): readonly Problem[] {
  if (issue.code === "unrecognized_keys") {
    const known = [...knownKeys(schema, issue.path), ...(issue.path.length === 0 ? keysBeside : [])];
    return issue.keys.map((key) => ({
      path: [...issue.path, key],
      problem: `unknown key${didYouMean(key, known) || list(known)}`,
    }));
  }
  if (issue.code === "invalid_type" && issue.input === undefined) {
    return [{ path: issue.path, problem: `is missing (expected ${issue.expected})` }];
  }
  if (issue.code === "invalid_key") {
    return issue.issues.map(({ message }) => ({ path: issue.path, problem: message }));
  }
  return [{ path: issue.path, problem: issue.message }];
}

function list(known: readonly string[]): string {
  return known.length === 0 ? "" : `; known: ${known.join(", ")}`;
}

/** The schema's keys at `path`; empty if that is not an object of fixed keys. */
function knownKeys(schema: z.core.$ZodType, path: DocumentPath): readonly string[] {
  if (
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodNullable ||
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault
  ) {
    return knownKeys(schema.unwrap(), path);
  }
  if (schema instanceof z.ZodPipe) return [...knownKeys(schema.in, path), ...knownKeys(schema.out, path)];
  const [key, ...rest] = path;
  if (schema instanceof z.ZodObject) {
    if (key === undefined) return Object.keys(schema.shape);
    const inner: z.core.$ZodType | undefined = schema.shape[String(key)];
    return inner === undefined ? [] : knownKeys(inner, rest);
  }
  if (key !== undefined && schema instanceof z.ZodRecord) return knownKeys(schema.valueType, rest);
  if (key !== undefined && schema instanceof z.ZodArray) return knownKeys(schema.element, rest);
  return [];
}
