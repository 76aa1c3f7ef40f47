/** Something that must hold on this machine, or on a manager, for backups to work; shown by `ovault doctor`. */
export interface Diagnosis extends Finding {
  readonly name: string;
}

/** What a check found. */
export interface Finding {
  /** `warn`: it works, but may do harm or fail. `skip`: it does not apply here. */
  readonly status: "ok" | "warn" | "fail" | "skip";
  readonly detail: string;
  /** The next step for the user; null when there is none. */
  readonly hint: string | null;
}

/** Makes findings. A check reports a failure by throwing. */
export const finding = {
  ok: (detail: string): Finding => ({ status: "ok", detail, hint: null }),
  warn: (detail: string, hint: string | null): Finding => ({ status: "warn", detail, hint }),
  skip: (detail: string): Finding => ({ status: "skip", detail, hint: null }),
} as const;
