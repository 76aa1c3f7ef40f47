import type { OperationContext } from "../operation-context.ts";

export interface DoctorContext extends OperationContext {
  /** Decides whether to remove what was found. It was reported as notes before. */
  readonly approve: (removal: ProposedRemoval) => Promise<boolean>;
}

export interface ProposedRemoval {
  /** For people: `2 leftovers`. */
  readonly what: string;
  /** For people: each of them. */
  readonly titles: readonly string[];
}

/** Receives what a check waits for, and shows it. */
export function noteWaits({ reporter }: Pick<DoctorContext, "reporter">): (what: string) => void {
  return (what) => reporter.note(`  waiting for ${what}`);
}
