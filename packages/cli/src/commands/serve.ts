import { formatBytes, Installation, parseSize, type PointServer, servePoint } from "@ovault/operations";

import { collect, type CommandContext, examples, type Define } from "../command.ts";
import { table, text, type View } from "../output/view.ts";
import { reportOnInterruption } from "../report-on-interruption.ts";

interface ServeOptions {
  readonly disk?: readonly string[];
  readonly writable?: boolean;
  readonly listen?: string;
  /** Bytes. */
  readonly cache?: number;
  readonly manager?: string;
  readonly from?: string;
}

export const define: Define = (command, invoke) => {
  command
    .argument("<point>", "id, a unique beginning of it, or VM@latest")
    .option("--disk <disk>", "only this disk: id, alias or index; repeatable", collect)
    .option("--writable", "let clients write; what they write is gone when the server ends")
    .option("--listen <[address:]port>", "on a TCP port of the loopback (default: a unix socket)")
    .option("--cache <size>", "memory for blocks that were read (default: 256M)", parseSize)
    .option("--manager <name>", "only points of this manager's machines")
    .option("--from <destination>", "destination to look in")
    .addHelpText(
      "after",
      examples(
        ["ovault serve web01@latest", "all disks, until Ctrl-C"],
        ["ovault serve web01@latest --disk 0 --writable", "to start a system from it, or to repair it"],
        ["ovault serve web01@latest --listen 10809 --json", "on TCP; the URIs as one line of JSON"],
      ),
    )
    .action((point: string, options: ServeOptions) =>
      invoke(command, async (context) => {
        const { disk: disks = [], writable = false, listen, cache: cacheBytes, manager, from } = options;
        const installation = await Installation.open(context);
        try {
          reportOnInterruption(installation, context);
          const job = { kind: "serve", point, disks, writable, listen, cacheBytes, manager, from } as const;
          const server = await servePoint(installation, job, context);
          const { close: _close, ...data } = server;
          return { data, view: serverView(server), running: untilInterrupted(server, installation, context) };
        } catch (error) {
          await installation[Symbol.asyncDispose]();
          throw error;
        }
      }),
    );
};

async function untilInterrupted(
  server: PointServer,
  installation: Installation,
  { signal }: CommandContext,
): Promise<void> {
  const alive = setInterval(() => undefined, 2 ** 30);
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
  clearInterval(alive);
  await server.close();
  await installation[Symbol.asyncDispose]();
}

function serverView({ point, disks, writable }: PointServer): View {
  const rows = disks.map(({ index, alias, logicalBytes, uri }) => [
    String(index),
    alias,
    formatBytes(logicalBytes),
    uri,
  ]);
  const how = writable ? "; what clients write is gone when the server ends" : ", read-only";
  return [table([">#", "disk", ">size", "URI"], rows, "no disks"), text(`Serving ${point}${how}. Ctrl-C ends it.`)];
}
