import { OvaultError } from "../errors/ovault-error.ts";
import { messageOf } from "../util/message-of.ts";
import type { Diagnosis, Finding } from "./diagnosis.ts";

/** Runs checks one after the other and keeps their findings; a failed check does not stop the others. */
export class Checklist {
  readonly #checks: Diagnosis[] = [];
  readonly #signal: AbortSignal;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  get checks(): readonly Diagnosis[] {
    return this.#checks;
  }

  /** Resolves to true unless the check fails; an error counts as a failure. @throws the signal's reason */
  async run(name: string, check: () => Promise<Finding>): Promise<boolean> {
    const finding = await check().catch((error: unknown) => this.#failed(error));
    this.#checks.push({ name, ...finding });
    return finding.status !== "fail";
  }

  /** Runs several checks and prefixes their names with this one. @throws the signal's reason */
  async runAll(name: string, check: () => Promise<readonly Diagnosis[]>): Promise<void> {
    try {
      this.add(name, await check());
    } catch (error) {
      this.#checks.push({ name, ...this.#failed(error) });
    }
  }

  /** Adds the findings of other checks, with this name as the prefix of theirs. */
  add(name: string, checks: readonly Diagnosis[]): void {
    for (const one of checks) this.#checks.push({ ...one, name: `${name}: ${one.name}` });
  }

  #failed(error: unknown): Finding {
    this.#signal.throwIfAborted();
    const hint = error instanceof OvaultError ? (error.hint ?? null) : null;
    return { status: "fail", detail: messageOf(error), hint };
  }
}
