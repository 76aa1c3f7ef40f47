import { formatBytes, Installation } from "@ovault/operations";
import { listExportDomains, type ExportDomainState } from "@ovault/operations/export-domain";

import type { Define } from "../../command.ts";
import { EXIT } from "../../exit.ts";
import { table, type View } from "../../output/view.ts";

interface StatusOptions {
  readonly manager?: string;
  readonly dataCenter?: readonly string[];
}

export const defineStatus: Define = (command, invoke) => {
  command.action(({ manager, dataCenter: dataCenters = [] }: StatusOptions) =>
    invoke(command, async (context) => {
      await using installation = await Installation.open(context);
      const states = await listExportDomains(installation, { manager, dataCenters }, context.signal);
      const failed = states.some(({ problem }) => problem !== null);
      return { data: states, view: statesView(states), exitCode: failed ? EXIT.findings : EXIT.ok };
    }),
  );
};

function statesView(states: readonly ExportDomainState[]): View {
  const rows = states.map(({ dataCenter, exportDomain, folder, address, path, availableBytes, machines, problem }) => [
    dataCenter,
    exportDomain ?? "",
    folder,
    address === null ? "" : `${address}:${path ?? ""}`,
    availableBytes === null ? "" : formatBytes(availableBytes),
    machines === null ? "" : String(machines),
    problem ?? "ready",
  ]);
  return [table(["data center", "export domain", "folder", "mounted from", ">free", ">machines", "state"], rows, "")];
}
