import { examples, type Define } from "../../command.ts";
import { text } from "../../output/view.ts";
import { withKeyRing, type KeyCommandOptions } from "./with-key-ring.ts";

interface RemoveOptions extends KeyCommandOptions {
  readonly inUse?: boolean;
}

export const defineRemove: Define = (command, invoke) => {
  command
    .argument("<key>", "id, or a unique beginning of it")
    .option("--in-use", "even if it is the one that ovault.yaml has")
    .addHelpText(
      "after",
      `${examples(["ovault key remove 1f3a", "the last key is never removed"])}\n\n` +
        "The removed key still opens old copies of the destination.",
    )
    .action((wanted: string, options: RemoveOptions) =>
      invoke(command, async (context) => {
        const evenInUse = options.inUse === true;
        const { signal } = context;
        const removed = await withKeyRing(context, options, (ring) => ring.remove(wanted, { evenInUse, signal }));
        return { data: { removed }, view: [text(`removed ${removed}`)] };
      }),
    );
};
