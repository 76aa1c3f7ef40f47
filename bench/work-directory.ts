import { tmpdir } from "node:os";
import { join } from "node:path";

/** Where benchmarks keep all their files. The images are kept for the next run. */
export const workDirectory = process.env["OVAULT_BENCH_DIR"] ?? join(tmpdir(), "ovault-bench");
