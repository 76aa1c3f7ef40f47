import type { Repository } from "../repository/repository.ts";
import { verifyPacks } from "./verify-packs.ts";
import type { VerifyOptions, VerifyReport } from "./verify-report.ts";

/**
 * Verifies everything: reads every pack whole, walks every point, and reports damaged index objects and manifests.
 * Damage is reported, and recorded in the repository as far as possible, not thrown.
 */
export async function verifyRepository(repository: Repository, options: VerifyOptions): Promise<VerifyReport> {
  return await verifyPacks(repository, { choose: (packs) => packs.keys(), isWhole: true }, options);
}
