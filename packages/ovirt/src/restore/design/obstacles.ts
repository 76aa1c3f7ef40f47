import { UsageError, type ErrorContext, type FieldName, type Wording } from "@ovault/contract";

/** Collects the obstacles of a restore, so that one run reports all of them. */
export class Obstacles {
  readonly #found: UsageError[] = [];

  add(message: string, { hint, context = {} }: { readonly hint: Wording; readonly context?: ErrorContext }): void {
    this.#found.push(new UsageError(message, { hint, context }));
  }

  /** The result of a check; undefined if it met an obstacle. */
  of<T>(check: () => T): T | undefined {
    try {
      return check();
    } catch (error) {
      this.#keep(error);
      return undefined;
    }
  }

  /** As `of`, for a check that asks the engine. */
  async ofAsking<T>(check: () => Promise<T>): Promise<T | undefined> {
    try {
      return await check();
    } catch (error) {
      this.#keep(error);
      return undefined;
    }
  }

  /** @throws like `fail`, when there is an obstacle */
  throwIfAny(): void {
    if (this.#found.length > 0) this.fail();
  }

  /** @throws UsageError with the only obstacle, or one error that names all */
  fail(): never {
    const [first, ...others] = this.#found;
    if (first !== undefined && others.length === 0) throw first;
    const found = this.#found;
    throw new UsageError(
      (field) => `${found.length} things stand in the way: ${texts(found, "message", field).join("; ")}`,
      {
        context: { obstacles: found.length },
        hint: (field) => texts(found, "hint", field).join(" "),
      },
    );
  }

  #keep(error: unknown): void {
    if (!(error instanceof UsageError)) throw error;
    this.#found.push(error);
  }
}

/** Each text once. */
function texts(found: readonly UsageError[], of: "message" | "hint", field: FieldName): readonly string[] {
  return [...new Set(found.flatMap((error) => error.inWordsOf(field)[of] ?? []))];
}
