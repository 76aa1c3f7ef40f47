import { ConfigurationError } from "./errors.ts";
import { hasCode, type OvaultError } from "./ovault-error.ts";

/**
 * Puts the name of an option, or the path to it in ovault.yaml, in front of what is wrong with its value; `option` of
 * the context holds it.
 * @since 0.2.0
 */
export function errorAt(path: string, error: OvaultError): ConfigurationError {
  const { cause, context } = error;
  const { option: inner } = context;
  const [option, start] = inner === undefined ? [path, `${path}: `] : [`${path}.${inner}`, `${path}.`];
  return new ConfigurationError((field) => `${start}${error.inWordsOf(field).message}`, {
    cause,
    context: { ...context, option },
    ...(error.hint !== undefined && { hint: (field) => error.inWordsOf(field).hint ?? "" }),
  });
}

/**
 * Names an option in ConfigurationErrors about what it refers to, as `errorAt`. Calls may lie in each other.
 * @since 0.2.0
 */
export async function aboutOption<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!hasCode(error, "E_CONFIGURATION") || isBelow(error.context["option"], path)) throw error;
    throw errorAt(path, error);
  }
}

/** A plugin may have named the whole path itself. */
function isBelow(option: unknown, path: string): boolean {
  return option === path || String(option).startsWith(`${path}.`);
}
