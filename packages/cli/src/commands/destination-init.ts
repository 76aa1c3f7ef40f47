import { chooseEntry } from "@ovault/core";
import { createRepository, type CreatedRepository, Installation } from "@ovault/operations";

import type { CommandContext, Define } from "../command.ts";
import { text } from "../output/view.ts";
import { keyAdvice } from "../key-advice.ts";
import { placeText } from "../place-text.ts";

export interface DestinationInitResult {
  readonly destination: string;
  /** False when a repository existed already. */
  readonly created: boolean;
  readonly encrypted: boolean;
  /** Path of the newly created key file, if any. */
  readonly madeKeyFile: string | null;
}

export const defineInit: Define = (command, invoke) => {
  command.action((name: string | undefined) =>
    invoke(command, async (context) => {
      const { destination, repository } = await initializeDestination(context, name);
      const { created, encryption, madeKeyFile } = repository;
      const encrypted = encryption !== undefined;
      const data: DestinationInitResult = { destination, created, encrypted, madeKeyFile };
      return { data, view: [text(`${destination}: ${placeText(repository)}`), ...keyAdvice(repository)] };
    }),
  );
};

/** Creates a destination's place and its repository where they are missing. */
export async function initializeDestination(
  context: CommandContext,
  name: string | undefined,
): Promise<{ readonly destination: string; readonly repository: CreatedRepository }> {
  await using installation = await Installation.open(context);
  const destination = chooseEntry(installation.configuration, "destination", name).name;
  return { destination, repository: await createRepository(installation, destination, context) };
}
