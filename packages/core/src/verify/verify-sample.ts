import { UsageError, compareText } from "@ovault/contract";
import type { Repository } from "../repository/repository.ts";
import type { PackChecks } from "./pack-checks.ts";
import { verifyPacks } from "./verify-packs.ts";
import type { VerifyOptions, VerifyReport } from "./verify-report.ts";

export interface SampleOptions extends VerifyOptions {
  /** Share of the stored bytes: above 0, at most 1. */
  readonly share: number;
}

/**
 * Reads a share of the packs whole, longest unchecked first, and proves every chunk in them. The repository records
 * what was checked, so that the next sample continues where this one ends, on any node.
 */
export async function verifySample(
  repository: Repository,
  { share, ...options }: SampleOptions,
): Promise<VerifyReport> {
  if (!(share > 0 && share <= 1)) throw new UsageError(`a sample of ${share * 100} % is not possible`);
  const choose = (packs: ReadonlyMap<string, number>, checks: PackChecks): readonly string[] =>
    oldestFirst(packs, checks, share);
  return await verifyPacks(repository, { choose, isWhole: false }, options);
}

/** As many packs as the share needs, longest unchecked first. Names are random: their order is as good as any. */
function oldestFirst(packs: ReadonlyMap<string, number>, checks: PackChecks, share: number): readonly string[] {
  const byAge = Array.from(packs, ([name, bytes]) => ({ name, bytes, last: checks.lastOf(name) }));
  byAge.sort((a, b) => compareText(a.last, b.last) || compareText(a.name, b.name));
  let left = share * byAge.reduce((sum, { bytes }) => sum + bytes, 0);
  const chosen: string[] = [];
  for (const { name, bytes } of byAge) {
    if (left <= 0) break;
    chosen.push(name);
    left -= bytes;
  }
  return chosen;
}
