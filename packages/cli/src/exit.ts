/** Exit codes of the process. Scripts may rely on them; docs/cli.md has the same table. */
export const EXIT = {
  ok: 0,
  internal: 1,
  usage: 2,
  manager: 3,
  destination: 4,
  integrity: 5,
  busy: 6,
  partial: 7,
  findings: 8,
  cancelled: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];
