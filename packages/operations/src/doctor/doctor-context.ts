import type { OperationContext } from "../operation-context.ts";

export interface DoctorContext extends OperationContext {
  /** Decides whether what was found, and reported as notes, is removed. The question is for a person. */
  readonly approve: (question: string) => Promise<boolean>;
}
