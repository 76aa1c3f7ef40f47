import { Checklist, finding, type Diagnosis } from "@ovault/contract";
import type { Host } from "@ovault/ovirt";

import { answerInTime, deadlineIn } from "../hosts/answer-in-time.ts";
import type { Hypervisor } from "../hosts/hypervisor.ts";
import { Hypervisors } from "../hosts/hypervisors.ts";
import { loginHint } from "../hosts/credentials.ts";
import { clusterOf } from "../hosts/landscape.ts";
import { logInInTime } from "../hosts/log-in-in-time.ts";
import { checkData } from "./check-data.ts";
import { checkNetcat } from "./check-netcat.ts";
import { checkRights } from "./check-rights.ts";
import { checkStorage } from "./check-storage.ts";
import { checkTools } from "./check-tools.ts";
import type { DiagnosisSite, HostCheck } from "./host-check.ts";

/** For all checks of one host together. */
const HOST_DEADLINE_MS = 120_000;

const CHECKS: Readonly<Record<string, HostCheck>> = {
  tools: checkTools,
  rights: checkRights,
  storage: checkStorage,
  data: checkData,
  netcat: checkNetcat,
};

/** @throws the signal's reason */
export async function diagnoseHost(
  host: Host,
  site: DiagnosisSite,
  signal: AbortSignal,
): Promise<readonly Diagnosis[]> {
  const { name, status } = host;
  const title = `host ${name}`;
  const cluster = clusterOf(host, site.landscape);
  if (!site.credentials.has(host, cluster)) {
    return [{ name: title, status: "skip", detail: "no credentials: it serves no disk", hint: loginHint(name) }];
  }
  if (status !== "up") {
    return [
      {
        name: title,
        status: "skip",
        detail: `${status ?? "of unknown state"}: only hosts that are up serve disks`,
        hint: null,
      },
    ];
  }
  const list = new Checklist(signal);
  const deadline = deadlineIn(HOST_DEADLINE_MS);
  const hypervisors = new Hypervisors(site.landscape, site.credentials);
  try {
    let hypervisor: Hypervisor | undefined;
    await list.run(`${title}: log-in`, async () => {
      hypervisor = await logInInTime(host, hypervisors, { onWait: site.onWait, why: "it is checked" }, signal);
      const source = site.credentials.keySourceOf(host, cluster);
      return finding.ok(`${hypervisor.session.title}; its key is known from ${source}`);
    });
    if (hypervisor === undefined) return list.checks;
    const open = hypervisor;
    const failed = new Set<string>();
    for (const [check, run] of Object.entries(CHECKS)) {
      const passed = await list.run(`${title}: ${check}`, () =>
        answerInTime(host, deadline, (limited) => run(open, { ...site, failed }, limited), signal),
      );
      if (!passed) failed.add(check);
      // Whatever follows would fail for the same reason.
      if (deadline.passed.aborted) break;
    }
    return list.checks;
  } finally {
    await hypervisors.close();
  }
}
