import { OvaultError } from "../errors/ovault-error.ts";
import { messageOf } from "../util/message-of.ts";
import type { Diagnosis, Finding } from "./diagnosis.ts";

/** Runs checks one after the other and keeps what they found; one that fails stops no other. */
export class Checklist {
  readonly #checks: Diagnosis[] = [];
  readonly #signal: AbortSignal;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  get checks(): readonly Diagnosis[] {
    return this.#checks;
  }

  /** Resolves to true if the check did not fail; an error that it throws counts as a failure. Cancelling is thrown. */
  async run(name: string, check: () => Promise<Finding>): Promise<boolean> {
    const finding = await check().catch((error: unknown) => this.#failed(error));
    this.#checks.push({ name, ...finding });
    return finding.status !== "fail";
  }

  /** Runs several checks whose names stand behind this one. Cancelling is thrown. */
  async runAll(name: string, check: () => Promise<readonly Diagnosis[]>): Promise<void> {
    try {
      this.add(name, await check());
    } catch (error) {
      this.#checks.push({ name, ...this.#failed(error) });
    }
  }

  /** Adds what was found elsewhere. */
  add(name: string, checks: readonly Diagnosis[]): void {
    for (const one of checks) this.#checks.push({ ...one, name: `${name}: ${one.name}` });
  }

  #failed(error: unknown): Finding {
    this.#signal.throwIfAborted();
    const hint = error instanceof OvaultError ? (error.hint ?? null) : null;
    return { status: "fail", detail: messageOf(error), hint };
  }
}
