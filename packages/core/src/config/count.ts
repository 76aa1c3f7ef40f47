import { z } from "zod";

/** How many of something there are, or may be. */
export const count = z.int().min(1, "must be at least 1");
