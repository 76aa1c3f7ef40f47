import type { RunEvent, RunEventBody } from "@ovault/operations";

/** A run of a machine of this name, one of `runs`, whose events a display shows. */
export function shownRun(show: (event: RunEvent) => void, title: string, runs = 1) {
  const of = { runId: title, job: "backup", machine: null, at: "2026-01-01T00:00:00.000Z" } as const;
  const emit = (body: RunEventBody): void => show({ ...of, ...body });
  emit({ kind: "started", title, runs });
  return { emit };
}
