import { z } from "zod";

export interface FilesystemOptions {
  /** Existing directory; relative to the directory of ovault.yaml. */
  readonly directory: string;
}

export const options: z.ZodType<FilesystemOptions> = z.strictObject({ directory: z.string().min(1) });
