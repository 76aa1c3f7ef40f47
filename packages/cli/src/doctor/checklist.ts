import { errorSummary } from "../output/error-text.ts";

/** One thing that was looked at. */
export interface Check {
  readonly name: string;
  readonly status: "ok" | "warn" | "fail" | "skip";
  readonly detail: string;
  readonly hint: string | null;
}

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
    const finding = await check().catch((error: unknown): Finding => {
      this.#signal.throwIfAborted();
      const { message, hint } = errorSummary(error);
      return { status: "fail", detail: message, hint };
    });
    this.#checks.push({ name, ...finding });
    return finding.status !== "fail";
  }
}
