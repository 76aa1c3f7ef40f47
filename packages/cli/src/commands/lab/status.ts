import { connectLab, type LabDataDomain, type LabStatus } from "@ovault/lab";
import { formatBytes } from "@ovault/operations";

import { examples, type Define } from "../../command.ts";
import { facts, table, type View } from "../../output/view.ts";
import { labDirectory, type LabOption } from "./lab-directory.ts";

export const defineStatus: Define = (command, invoke) => {
  command.addHelpText("after", examples(["ovault lab status --dir lab", ""])).action((options: LabOption) =>
    invoke(command, async (context) => {
      const status = await connectLab(await labDirectory(options, context)).status();
      return { data: status, view: statusView(status) };
    }),
  );
};

export function statusView(status: LabStatus): View {
  const rows = status.vms.flatMap(({ name, status: state, disks }) =>
    disks.map((disk, index) => [
      index === 0 ? name : "",
      index === 0 ? state : "",
      String(index),
      disk.alias,
      disk.id,
      disk.format,
      formatBytes(disk.virtualBytes),
    ]),
  );
  const faults = status.faults.map(({ name, mode }) => `${name} (${mode})`);
  return [
    facts([
      ["lab", `${status.directory} (pid ${status.pid})`],
      ["engine", `${status.product} ${status.engineVersion} at ${status.url}`],
      ["user", status.user],
      ["CA", `${status.caFile}, SHA-256 ${status.caFingerprint}`],
      ...status.staging.map(
        ({ folder, exportDomain }) => ["staging", `${folder}, export domain ${exportDomain}`] as const,
      ),
      ...status.dataDomains.map((domain) => ["data domain", describe(domain)] as const),
      ["faults", faults.length === 0 ? undefined : faults.join(", ")],
      ...status.warnings.map((warning) => ["warning", warning] as const),
    ]),
    hostTable(status),
    table(["vm", "status", ">#", "disk", "id", "format", ">size"], rows, "no virtual machines"),
  ];
}

function describe({ name, status, renewals }: LabDataDomain): string {
  if (renewals === undefined) return `${name}, ${status}`;
  const { renewed, late, longestMs } = renewals;
  return `${name}, ${status}, lease renewed ${renewed} times, ${late} late, longest ${Math.round(longestMs)} ms`;
}

export function hostTable({ hosts, vms }: Pick<LabStatus, "hosts" | "vms">): View[number] {
  const rows = hosts.map(({ name, cluster, status, ssh }) => [
    name,
    cluster,
    status,
    ssh === undefined ? "" : `${ssh.user}@${ssh.address}:${ssh.port}`,
    vms
      .filter(({ host }) => host === name)
      .map((vm) => vm.name)
      .join(", "),
  ]);
  return table(["host", "cluster", "status", "ssh", "runs"], rows, "");
}
