import type { OperationContext } from "../operation-context.ts";

export interface DoctorContext extends OperationContext {
  /** Decides whether to remove findings, which were reported as notes before. The question is for a person. */
  readonly approve: (question: string) => Promise<boolean>;
}
