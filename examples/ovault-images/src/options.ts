import { z } from "zod";

/** One disk of a machine: a raw file, or an NBD URI. */
export interface ImageOptions {
  readonly source: string;
  /** A JSON file of the ranges that changed since the last backup, as change tracking would report them. */
  readonly changes?: string | undefined;
}

export interface ImagesOptions {
  /** Their disks, by name of the machine. */
  readonly machines: Readonly<Record<string, readonly ImageOptions[]>>;
}

export interface StrategyOptions {
  /** A directory for copies of the images, which a run reads instead. Without it, a run reads the images directly. */
  readonly copies?: string | undefined;
}

const image = z.strictObject({ source: z.string().min(1), changes: z.string().min(1).optional() });

export const imagesOptions: z.ZodType<ImagesOptions> = z.strictObject({
  machines: z.record(z.string().min(1), z.array(image).min(1)),
});

export const strategyOptions: z.ZodType<StrategyOptions> = z.strictObject({ copies: z.string().min(1).optional() });
