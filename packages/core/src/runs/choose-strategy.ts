import type { Assessment, DiskAssessment, Strategy, VirtualMachine } from "@ovault/contract";

/** What one strategy can do for a machine. */
export interface StrategyAssessment {
  readonly strategy: Strategy;
  /** In the order of the machine's disks, without those that are excluded. */
  readonly disks: readonly DiskAssessment[];
  /** The strategy's assessment of all disks, for `BackupOptions.assessment`. */
  readonly assessment: Assessment;
}

export interface StrategyChoice extends StrategyAssessment {
  /** Why this strategy, for people. */
  readonly reason: string;
  /** The other strategies, best first. */
  readonly rejected: readonly StrategyAssessment[];
}

export interface AssessmentTerms {
  /** Ids of disks to ignore. */
  readonly excludeDisks: readonly string[];
  /** Whether to keep the base of the next increment on the manager where that costs something. */
  readonly keepBase: boolean;
  readonly signal: AbortSignal;
}

/**
 * The best strategy for all disks of a machine: the one with the fewest disks that it cannot take; then the fewest that
 * it must leave out; then the most that it takes incrementally; then the fewest that it cannot take without a step that
 * makes it possible; then the first in order of preference. Undefined if `strategies` is empty.
 * @param strategies in order of preference
 */
export async function chooseStrategy(
  strategies: readonly Strategy[],
  vm: VirtualMachine,
  terms: AssessmentTerms,
): Promise<StrategyChoice | undefined> {
  const assessed: StrategyAssessment[] = [];
  for (const strategy of strategies) assessed.push(await assessStrategy(strategy, vm, terms));
  const [best, ...rejected] = assessed.toSorted((a, b) => compareWorth(a, b) || countHopeless(a) - countHopeless(b));
  return best && { ...best, rejected, reason: reasonFor(best, rejected) };
}

/** A strategy's verdict on each disk; `impossible` for a disk it does not name. */
export async function assessStrategy(
  strategy: Strategy,
  vm: VirtualMachine,
  { excludeDisks, keepBase, signal }: AssessmentTerms,
): Promise<StrategyAssessment> {
  const assessment = await strategy.assess(vm, signal);
  const assessments = vm.disks
    .filter(({ id }) => !excludeDisks.includes(id))
    .map(({ id }): DiskAssessment => {
      const found = assessment.disks.find(({ diskId }) => diskId === id);
      if (found === undefined) {
        return { diskId: id, verdict: "impossible", reason: `${strategy.name} does not know this disk` };
      }
      return keepBase ? found : withoutBase(found);
    });
  return { strategy, disks: assessments, assessment };
}

/** Without a kept base, an increment becomes a full. */
function withoutBase(assessment: DiskAssessment): DiskAssessment {
  const { keeps, ...others } = assessment;
  if (keeps === undefined) return assessment;
  return {
    ...others,
    verdict: "full",
    reason: `no increment is scheduled, so that ${keeps} to start it from is not kept`,
  };
}

/** What a strategy would do with the disks of a machine: `2 incremental, 1 impossible`. */
export function describeVerdicts({ disks }: StrategyAssessment): string {
  const counts = VERDICTS.map((verdict) => ({ verdict, count: countOf(disks, verdict) }));
  const present = counts.filter(({ count }) => count > 0).map(({ verdict, count }) => `${count} ${verdict}`);
  return present.join(", ") || "no disks";
}

const VERDICTS = ["incremental", "full", "skip", "impossible"] as const satisfies readonly DiskAssessment["verdict"][];
/** Verdicts to minimize, the most important first. */
const UNWANTED = ["impossible", "skip", "full"] as const satisfies readonly DiskAssessment["verdict"][];

function compareWorth(a: StrategyAssessment, b: StrategyAssessment): number {
  const differences = UNWANTED.map((verdict) => countOf(a.disks, verdict) - countOf(b.disks, verdict));
  return differences.find((difference) => difference !== 0) ?? 0;
}

/** What an engine lacks, no user can give it; what is not set up, or broken, one can. */
function countHopeless({ disks }: StrategyAssessment): number {
  return disks.filter(({ verdict, remedy }) => verdict === "impossible" && remedy === undefined).length;
}

function countOf(disks: readonly DiskAssessment[], verdict: DiskAssessment["verdict"]): number {
  return disks.filter((disk) => disk.verdict === verdict).length;
}

function reasonFor(best: StrategyAssessment, rejected: readonly StrategyAssessment[]): string {
  const [second] = rejected;
  if (second === undefined) return "the only one for this manager";
  const others = rejected.map((other) => `${other.strategy.name}: ${describeVerdicts(other)}`).join("; ");
  const why = compareWorth(best, second) < 0 ? "best for its disks" : "preferred among equals";
  return `${why}: ${describeVerdicts(best)} (${others})`;
}
