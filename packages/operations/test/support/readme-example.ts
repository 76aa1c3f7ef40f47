import { Redactor } from "@ovault/core";
import {
  backupJobSchema,
  type BackupSummary,
  CurrentInstallation,
  Installation,
  type RunEvent,
  runBackup,
} from "@ovault/operations";

const redactor = new Redactor();
const say = (line: string): void => void process.stderr.write(redactor.redact(`${line}\n`));
const reporter = { note: say, warn: (message: string): void => say(`warning: ${message}`) };
const emit = (event: RunEvent): void => void process.stdout.write(redactor.redact(`${JSON.stringify(event)}\n`));

/** Opens what an ovault.yaml describes; `reload` reads it again, and takes nothing that cannot be used. */
export async function openCurrent(configFile: string, signal: AbortSignal): Promise<CurrentInstallation> {
  return await CurrentInstallation.open(
    () => Installation.open({ configFile, signal, debug: false, reporter, redactor }),
    (error) => reporter.warn(`the former installation was not closed cleanly: ${String(error)}`),
  );
}

/** Backs up a machine, and prints the events of the run, a line of JSON each. An abort of the signal cancels it. */
export async function backUp(
  current: CurrentInstallation,
  vm: string,
  signal: AbortSignal,
): Promise<readonly BackupSummary[]> {
  using used = current.use();
  const job = backupJobSchema.parse({ kind: "backup", vms: [vm] });
  return await runBackup(used.installation, job, { signal, reporter, emit });
}
