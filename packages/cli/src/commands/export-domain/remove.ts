import { Installation } from "@ovault/operations";
import { removeExportDomains, type ExportDomainRemoval } from "@ovault/operations/export-domain";

import type { Define } from "../../command.ts";
import { text, type View } from "../../output/view.ts";

interface RemoveOptions {
  readonly manager?: string;
  readonly dataCenter?: readonly string[];
}

export const defineRemove: Define = (command, invoke) => {
  command
    .addHelpText("after", "\nIt refuses while machines, disks, or something of a run lie there. The folder stays.")
    .action(({ manager, dataCenter: dataCenters = [] }: RemoveOptions) =>
      invoke(command, async (context) => {
        await using installation = await Installation.open(context);
        const results = await removeExportDomains(installation, { manager, dataCenters }, context);
        return { data: results, view: removalView(results) };
      }),
    );
};

function removalView(results: readonly ExportDomainRemoval[]): View {
  return [
    text(
      ...results.map(({ dataCenter, exportDomain, done }) =>
        done.length === 0
          ? `${dataCenter}: the engine has no export domain ${exportDomain}`
          : `${dataCenter}: export domain ${exportDomain} is removed`,
      ),
    ),
  ];
}
