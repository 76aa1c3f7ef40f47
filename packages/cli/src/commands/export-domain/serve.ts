import { once } from "node:events";

import { Installation } from "@ovault/operations";
import { serveExportDomains, type ServedExports } from "@ovault/operations/export-domain";

import { collect, type CommandContext, type Define } from "../../command.ts";
import { text, type View } from "../../output/view.ts";
import { parsePort } from "../../parse-port.ts";

interface ServeOptions {
  readonly manager?: string;
  readonly dataCenter?: readonly string[];
  readonly address?: string;
  readonly port?: number;
  readonly allow?: readonly string[];
}

export const defineServe: Define = (command, invoke) => {
  command
    .option("--address <address>", "of this node to listen on (default: all)")
    .option("--port <port>", "to listen on (default: 2049)", parsePort)
    .option("--allow <address>", "who may connect: an address, or a network; repeatable (default: the hosts)", collect)
    .addHelpText(
      "after",
      "\nNFSv3 has no encryption and no passwords: a machine with an allowed address can read and change all exports.\n" +
        "It asks the engine for its hosts when it starts: start it again for a new host.",
    )
    .action((options: ServeOptions) =>
      invoke(command, async (context) => {
        const served = await serve(options, context);
        const { port, folders, allowed } = served;
        return { data: { port, folders, allowed }, view: servedView(served), running: untilStopped(served, context) };
      }),
    );
};

async function serve(options: ServeOptions, context: CommandContext): Promise<ServedExports> {
  await using installation = await Installation.open(context);
  const { dataCenter: dataCenters = [], allow = [], ...rest } = options;
  return await serveExportDomains(installation, { ...rest, dataCenters, allow }, context);
}

/** Hosts that use an export when it ends wait until it is back. */
async function untilStopped(served: ServedExports, { signal }: CommandContext): Promise<void> {
  await using _ = served;
  if (!signal.aborted) await once(signal, "abort");
}

function servedView({ port, folders, allowed }: ServedExports): View {
  return [
    text(
      ...folders.map((folder) => `serving ${folder} at port ${port}`),
      `to ${allowed.join(", ")}, which can read and change all of it: NFSv3 has no encryption and no passwords`,
    ),
  ];
}
