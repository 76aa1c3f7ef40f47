import { plural } from "@ovault/contract";
import { formatBytes, type RunCounts, type RunEvent } from "@ovault/operations";

import { carrierText } from "./carrier-text.ts";
import { describePruneProgress } from "./describe-prune-progress.ts";
import type { LiveLine, Terminal } from "./terminal.ts";
import { formatProgress, TransferProgress } from "./transfer-progress.ts";

interface ShownRun {
  readonly title: string;
  /** Runs in its job. */
  readonly runs: number;
  readonly progress: TransferProgress;
  readonly line: LiveLine;
}

/**
 * Shows the phases, warnings and progress of runs: each as a line redrawn in place on a terminal, as plain lines
 * elsewhere. Of several runs also how each ended.
 */
export class RunDisplay {
  readonly #terminal: Terminal;
  readonly #shown = new Map<string, ShownRun>();
  #ended = 0;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  readonly show = (event: RunEvent): void => {
    if (event.kind === "started") {
      const { runId, title, runs } = event;
      const line = this.#terminal.liveLine();
      this.#shown.set(runId, { title, runs, progress: new TransferProgress(title), line });
      return;
    }
    const run = this.#shown.get(event.runId);
    if (run !== undefined) this.#update(run, event);
  };

  #update(run: ShownRun, event: RunEvent): void {
    const { title, progress, line } = run;
    switch (event.kind) {
      case "started":
        break;
      case "phase":
        this.#terminal.note([title, event.phase, event.detail].filter((part) => part !== "").join(": "));
        break;
      case "opened":
        this.#terminal.note(`${title}: opened: ${carrierText(event)}`);
        break;
      case "disks":
        progress.announce(event.disks.reduce((sum, { logicalBytes }) => sum + logicalBytes, 0));
        break;
      case "progress":
        progress.add(event);
        line.show(() => formatProgress(progress.line));
        break;
      case "counted":
        line.show(() => describeCounts(event.counts));
        break;
      case "warning":
        if (event.of === "run") this.#terminal.note(`${title}: warning: ${event.message}`);
        break;
      case "note":
      case "points":
      case "point":
        break;
      case "copied":
        line.end();
        break;
      case "failed":
        if (run.runs > 1) this.#terminal.note(`${title}: failed: ${event.error.message}`);
        this.#end(event.runId, run);
        break;
      case "finished":
        this.#end(event.runId, run);
        break;
    }
  }

  #end(runId: string, { runs, line }: ShownRun): void {
    this.#shown.delete(runId);
    line.end();
    if (runs < 2) return;
    this.#ended += 1;
    this.#terminal.note(`${this.#ended} of ${plural(runs, "virtual machine")} done`);
  }
}

/** How far it is: in packs while they are read, in points afterwards. */
function describeVerified({ packs, points, total }: Extract<RunCounts, { of: "verify" | "repair" }>): string {
  if (total.points > 0) return `: ${points} of ${plural(total.points, "point")}`;
  return total.packs > 0 ? `: ${packs} of ${plural(total.packs, "pack")}` : "";
}

function describeCounts(counts: RunCounts): string {
  switch (counts.of) {
    case "copy":
      return `${counts.vm}: ${counts.point}: ${formatBytes(counts.doneBytes)} of ${formatBytes(counts.logicalBytes)} done`;
    case "prune":
      return describePruneProgress(counts);
    case "verify":
      return `verified ${formatBytes(counts.bytes)}${describeVerified(counts)}`;
    case "repair":
      return `read ${formatBytes(counts.bytes)}${describeVerified(counts)}`;
  }
}
