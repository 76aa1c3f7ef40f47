import { z } from "zod";

/** Schema of a positive integer. */
export const count = z.int().min(1, "must be at least 1");
