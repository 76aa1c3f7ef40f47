import { UsageError } from "@ovault/contract";
import { Installation } from "@ovault/operations";
import {
  exportInstructions,
  setUpExportDomains,
  type ExportDomainSetUp,
  type ExportInstructions,
} from "@ovault/operations/export-domain";

import type { Define } from "../../command.ts";
import { text, type View } from "../../output/view.ts";
import { parsePort } from "../../parse-port.ts";

interface SetupOptions {
  readonly manager?: string;
  readonly dataCenter?: readonly string[];
  readonly address?: string;
  readonly port?: number;
  readonly print?: boolean;
}

export const defineSetup: Define = (command, invoke) => {
  command
    .option("--address <address>", "of this node, as hosts reach it (default: the one that they see)")
    .option("--port <port>", "where `ovault export-domain serve` listens (default: asked for, else 2049)", parsePort)
    .option("--print", "only show what the kernel's NFS server has to export, and change nothing")
    .addHelpText(
      "after",
      "\nIt registers nothing before a write through the export has shown the right owner. Run again, it goes on\n" +
        "where it was interrupted, and leaves alone what is there.",
    )
    .action((given: SetupOptions) =>
      invoke(command, async (context) => {
        const { manager, dataCenter: dataCenters = [], address, port, print } = given;
        if (print === true && port !== undefined) throw new UsageError("--port is not for --print");
        await using installation = await Installation.open(context);
        const options = { manager, dataCenters, address, port };
        if (print === true) {
          const instructions = await exportInstructions(installation, options, context.signal);
          return { data: instructions, view: instructionsView(instructions) };
        }
        const results = await setUpExportDomains(installation, options, context);
        return { data: results, view: setUpView(results) };
      }),
    );
};

function instructionsView(all: readonly ExportInstructions[]): View {
  return [
    text("# Folders:"),
    text(...all.map(({ makeFolder }) => makeFolder)),
    text("# In /etc/exports; then run: exportfs -ra"),
    text(...all.map(({ exportsLine }) => exportsLine)),
    text("# NFSv3 has no encryption and no passwords: a machine with one of these addresses can read all exports."),
  ];
}

function setUpView(results: readonly ExportDomainSetUp[]): View {
  return [
    text(
      ...results.map(({ dataCenter, exportDomain, address, path, folder, done }) => {
        const state = done.length === 0 ? "was all there already" : "is ready";
        return `${dataCenter}: export domain ${exportDomain} ${state}, in ${folder}, mounted from ${address}:${path}`;
      }),
    ),
  ];
}
