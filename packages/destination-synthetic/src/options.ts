import { z } from "zod";

export interface SyntheticOptions {
  /** Existing directory on a file system with reflinks; relative to the directory of ovault.yaml. */
  readonly directory: string;
}

export const options: z.ZodType<SyntheticOptions> = z.strictObject({ directory: z.string().min(1) });
