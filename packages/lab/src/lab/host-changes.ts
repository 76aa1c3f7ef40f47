/** All changes of a host, with their effects. */
export const hostChanges = {
  up: "The engine reports it up.",
  maintenance: "The engine reports it in maintenance. Machines stay where they run, and SSH answers.",
  non_responsive: "The engine reports it non responsive. Machines stay where they run, and SSH answers.",
  "power-off":
    "All connections and processes of the host end, and the machines on it, as in a power cut. The engine reports it non responsive.",
  fence: "As power-off, by the engine, which reports it down.",
  "power-on": "SSH answers again, and the engine reports it up.",
  suspend: "SSH stalls: connections neither answer nor end, until `resume`.",
  resume: "Connections that stalled continue.",
  "new-key": "All connections end, and SSH has another host key, which is not the one on record in the engine.",
} as const;

export type HostChange = keyof typeof hostChanges;

export const hostChangeNames: readonly HostChange[] = Object.keys(hostChanges).filter(
  (name): name is HostChange => name in hostChanges,
);
