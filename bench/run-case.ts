import { execFile } from "node:child_process";
import { promisify } from "node:util";

import { allocatedBytes } from "./allocated-bytes.ts";
import type { Case, Contender } from "./case.ts";
import { isInstalled } from "./is-installed.ts";
import { measure, type Measurement } from "./measure.ts";
import { measurementText } from "./measurement-text.ts";
import { caseResult, type CaseResult } from "./results.ts";

const run = promisify(execFile);

/**
 * Runs all contenders of a case one after the other, round by round, so that a slow spell of the machine affects all of
 * them. Does not count a warm-up round before the first.
 * @param print takes a line about each run
 */
export async function runCase(
  { name, ours, others, dataBytes }: Case,
  rounds: number,
  print: (line: string) => void,
): Promise<CaseResult> {
  const missing = others.filter(({ needs }) => needs !== undefined && !isInstalled(needs));
  for (const contender of missing) print(`${name}  NOT COMPARED with ${contender.name}: it is not installed`);
  const contenders = [ours, ...others.filter((other) => !missing.includes(other))];
  const taken = new Map<string, Measurement[]>(contenders.map((contender) => [contender.name, []]));
  for (let round = 0; round <= rounds; round += 1) {
    for (const contender of contenders) {
      const measured = withRate(await runOnce(contender), dataBytes);
      print(`${name}  round ${round}  ${contender.name}  ${measurementText(measured)}`);
      if (round > 0) taken.get(contender.name)?.push(measured);
    }
  }
  return caseResult(name, Object.fromEntries(taken));
}

async function runOnce({ prepare, command, output, figures, tidy }: Contender): Promise<Measurement> {
  await prepare?.();
  // Earlier writes must not reach the disk in another contender's time.
  await run("sync");
  const before = output === undefined ? 0 : await allocatedBytes(output);
  const measured = await measure(command());
  const after = output === undefined ? undefined : await allocatedBytes(output);
  await tidy?.();
  return {
    ...measured,
    ...(after !== undefined && { storedMiB: (after - before) / 2 ** 20 }),
    ...(figures !== undefined && { figures: { ...figures, ...measured.figures } }),
  };
}

function withRate(measured: Measurement, dataBytes: number | undefined): Measurement {
  if (dataBytes === undefined) return measured;
  return { ...measured, figures: { ...measured.figures, "GB/s": dataBytes / 1e9 / measured.wall } };
}
