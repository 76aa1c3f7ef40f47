import { messageOf, UsageError } from "@ovault/contract";
import type { KeyInfo } from "@ovault/core";
import { formatTime } from "@ovault/operations";

import { examples, type Define } from "../../command.ts";
import { table, type View } from "../../output/view.ts";
import { withKeyRing, type KeyCommandOptions } from "./with-key-ring.ts";

export const defineList: Define = (command, invoke) => {
  command
    .argument("[destination]", "the same as --destination")
    .addHelpText("after", examples(["ovault key list", "oldest first"]))
    .action((name: string | undefined, options: KeyCommandOptions) =>
      invoke(command, async (context) => {
        if (name !== undefined && options.destination !== undefined) {
          throw new UsageError("the destination is given twice");
        }
        const wanted = { destination: name ?? options.destination };
        const { keys, damaged } = await withKeyRing(context, wanted, (ring) => ring.list(context.signal));
        const warnings = damaged.map(({ key, error }) => ({ key, reason: messageOf(error) }));
        for (const { reason } of warnings) context.terminal.note(`warning: ${reason}`);
        return { data: { keys, damaged: warnings }, view: keysView(keys) };
      }),
    );
};

function keysView(keys: readonly KeyInfo[]): View {
  const rows = keys.map(({ id, kind, label, createdAt, inUse }) => [
    id,
    kind,
    formatTime(createdAt),
    label,
    inUse ? "in use here" : "",
  ]);
  return [table(["key", "kind", "added", "label", ""], rows, "no keys")];
}
