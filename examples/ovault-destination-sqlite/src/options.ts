import { z } from "zod";

export interface SqliteOptions {
  /** Relative to the directory of ovault.yaml. */
  readonly file: string;
}

/** Strict: a misspelt key is an error that names its line. */
export const options: z.ZodType<SqliteOptions> = z.strictObject({ file: z.string().min(1) });
