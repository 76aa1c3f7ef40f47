// `npm test`: prepares the workspace, then runs format check, lint, type check and all tests, even after a failure; the
// last line counts.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { bin, bootstrap, root, workspaceEnvironment } from "./bootstrap.mjs";

const CHECKS = [
  ["prettier", "--check", "."],
  ["oxlint", "--deny-warnings"],
  ["tsc", "-b"],
  ["tsc", "-p", "tsconfig.test.json"],
];

function succeeds([command, ...args], additional = {}) {
  process.stdout.write(`\n> ${[command, ...args].join(" ")}\n`);
  const env = { ...workspaceEnvironment(), ...additional };
  return spawnSync(join(bin, command), args, { cwd: root, stdio: "inherit", env }).status === 0;
}

/** Sums the counts that the testkit's `tally` wrote to the file: lines of a word and a number. */
function sumsOf(file) {
  const sums = { faults: 0, kills: 0 };
  for (const line of readFileSync(file, "utf8").split("\n")) {
    const [what, count] = line.split(" ");
    if (what in sums) sums[what] += Number(count);
  }
  return sums;
}

/** Runs vitest and counts from its own report. A run that ends badly without a failed test is one failure. */
function runTests() {
  const directory = mkdtempSync(join(tmpdir(), "ovault-test-report-"));
  const report = join(directory, "report.json");
  try {
    const tally = join(directory, "tally");
    writeFileSync(tally, "");
    const reporters = ["--reporter=default", "--reporter=json", `--outputFile=${report}`];
    const passed = succeeds(["vitest", "run", ...reporters], { OVAULT_TALLY: tally });
    const counts = JSON.parse(readFileSync(report, "utf8"));
    const failed = counts.numFailedTests;
    return {
      passed: counts.numPassedTests,
      failed: passed ? failed : Math.max(1, failed),
      skipped: counts.numPendingTests + counts.numTodoTests,
      ...sumsOf(tally),
    };
  } catch (error) {
    process.stderr.write(`no test report: ${error.message}\n`);
    return { passed: 0, failed: 1, skipped: 0, faults: 0, kills: 0 };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

bootstrap("test");
const failedChecks = CHECKS.filter((check) => !succeeds(check));
const tests = runTests();
for (const check of failedChecks) process.stdout.write(`failed check: ${check.join(" ")}\n`);
const failed = tests.failed + failedChecks.length;
process.stdout.write(`faults injected: ${tests.faults}, kills: ${tests.kills}\n`);
process.stdout.write(`${tests.passed} passed, ${failed} failed, ${tests.skipped} skipped\n`);
process.exitCode = failed === 0 ? 0 : 1;
