import type { Diagnosis } from "@ovault/contract";

import { errorSummary } from "@ovault/operations";

/** One thing that was looked at. */
export type Check = Diagnosis;

/** What a check found; what it throws counts as failed. */
export type Finding = Omit<Check, "name">;

export function ok(detail: string): Finding {
  return { status: "ok", detail, hint: null };
}

export function warn(detail: string, hint: string | null): Finding {
  return { status: "warn", detail, hint };
}

export function skip(detail: string): Finding {
  return { status: "skip", detail, hint: null };
}

/** Runs checks one after the other and keeps what they found; one that fails stops no other. */
export class Checklist {
  readonly #checks: Check[] = [];
  readonly #signal: AbortSignal;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  get checks(): readonly Check[] {
    return this.#checks;
  }

  /** True when it did not fail. Cancelling is thrown. */
  async run(name: string, check: () => Promise<Finding>): Promise<boolean> {
    const finding = await check().catch((error: unknown) => this.#failed(error));
    this.#checks.push({ name, ...finding });
    return finding.status !== "fail";
  }

  /** Several things at once, whose names stand behind this one. Cancelling is thrown. */
  async runAll(name: string, check: () => Promise<readonly Check[]>): Promise<void> {
    try {
      for (const one of await check()) this.#checks.push({ ...one, name: `${name}: ${one.name}` });
    } catch (error) {
      this.#checks.push({ name, ...this.#failed(error) });
    }
  }

  #failed(error: unknown): Finding {
    this.#signal.throwIfAborted();
    const { message, hint } = errorSummary(error);
    return { status: "fail", detail: message, hint };
  }
}
