import { z } from "zod";

import { didYouMean } from "@ovault/contract";
import type { DocumentPath } from "./origin.ts";

export interface Problem {
  readonly path: DocumentPath;
  readonly problem: string;
}

/**
 * What is wrong with a value, for people. Repeats none of its values.
 * @param error of a check with `reportInput`
 * @param keysBeside keys that another schema checks, also proposed for a misspelt key
 */
export function problemsOf(
  error: z.ZodError,
  schema: z.ZodType,
  keysBeside: readonly string[] = [],
): readonly Problem[] {
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
  return [{ path: issue.path, problem: problemOf(issue) }];
}

/** The message of the schema, or our own words where it has only zod's. */
function problemOf(issue: z.core.$ZodIssue): string {
  if (!/^(?:Too (?:small|big)|Invalid (?:input|option)): expected/.test(issue.message)) return issue.message;
  switch (issue.code) {
    case "invalid_type":
      return `expected ${issue.expected}`;
    case "invalid_value":
      return `must be ${issue.values.length > 1 ? "one of " : ""}${issue.values.map(String).join(", ")}`;
    case "too_small":
      if (issue.origin === "string" && issue.minimum === 1) return "must not be empty";
      if (isNumber(issue.origin)) return `must be ${issue.inclusive === true ? "at least" : "above"} ${issue.minimum}`;
      break;
    case "too_big":
      if (isNumber(issue.origin)) return `must be ${issue.inclusive === true ? "at most" : "below"} ${issue.maximum}`;
      break;
  }
  return issue.message;
}

function isNumber(origin: string): boolean {
  return origin === "number" || origin === "int" || origin === "bigint";
}

/** As `a.b.0`, on one line: keys come from outside, and a terminal executes control characters. */
export function pathText(path: DocumentPath): string {
  const whole = path.map(String).join(".");
  return whole.replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, (one) => `\\u{${one.codePointAt(0)?.toString(16)}}`);
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
