import type { BackupSummary } from "@ovault/operations";

type Opened = NonNullable<BackupSummary["opened"]>;

/** The strategy of a run, and what carries its data: `ssh-transfer, through netcat`. */
export function carrierText({ strategy, disks }: Opened): string {
  const carriers = new Set(disks.flatMap(({ carrier }) => carrier ?? []));
  return carriers.size === 0 ? strategy : `${strategy}, through ${[...carriers].join(" and ")}`;
}
