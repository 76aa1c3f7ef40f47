import type { OpenedEvent, VirtualMachine } from "@ovault/contract";

import type { InnerContext } from "../inner-context.ts";
import { summarizeMachine } from "../summaries/machine-summary.ts";
import { RunReport } from "./run-report.ts";

/** The run of one machine, and what its summary says beside its outcome. */
export interface MachineRun {
  readonly report: RunReport<"backup">;
  readonly warnings: string[];
  opened: OpenedEvent | undefined;
}

/** The runs of a backup job: one for each machine, from the moment that the job knows it. */
export class MachineRuns {
  readonly #context: InnerContext;
  readonly #runs = new Map<string, MachineRun>();

  constructor(context: InnerContext) {
    this.#context = context;
  }

  /** Starts the runs of these machines, as far as they have not started. */
  start(machines: readonly VirtualMachine[]): void {
    const added = machines.filter(({ id }) => !this.#runs.has(id));
    const runs = this.#runs.size + added.length;
    for (const vm of added) {
      const machine = summarizeMachine(vm);
      const report = new RunReport({ job: "backup", machine, title: vm.name, runs }, this.#context);
      this.#runs.set(vm.id, { report, warnings: [], opened: undefined });
      report.start();
    }
  }

  /** The run of a machine that was started. */
  of({ id }: Pick<VirtualMachine, "id">): MachineRun {
    const run = this.#runs.get(id);
    if (run === undefined) throw new Error(`no run of machine ${id} was started`);
    return run;
  }

  /** Ends the runs that have not ended, but those of these machines. */
  failAll(error: unknown, but: readonly VirtualMachine[] = []): void {
    for (const [id, { report }] of this.#runs) if (!but.some((vm) => vm.id === id)) report.fail(error);
  }
}
