import { chooseEntry } from "@ovault/core";

import type { CommandContext, Define } from "../command.ts";
import { ensureRepository } from "../ensure-repository.ts";
import { Installation } from "../installation.ts";
import { text } from "../output/view.ts";

export interface DestinationInitResult {
  readonly destination: string;
  /** False when there was a repository already. */
  readonly created: boolean;
}

export const defineInit: Define = (command, invoke) => {
  command.action((name: string | undefined) =>
    invoke(command, async (context) => {
      const result = await initializeDestination(context, name);
      const { destination, created } = result;
      return { data: result, view: [text(`${destination}: ${created ? "new" : "existing"} repository`)] };
    }),
  );
};

/** Makes the place of a destination, where it is missing, and a repository in it, where there is none. */
export async function initializeDestination(
  context: CommandContext,
  name: string | undefined,
): Promise<DestinationInitResult> {
  await using installation = await Installation.open(context);
  const destination = chooseEntry(installation.configuration, "destination", name).name;
  await installation.prepareDestination(destination);
  const store = await installation.store(destination);
  try {
    return { destination, created: await ensureRepository(store, context.signal) };
  } finally {
    await store.close();
  }
}
