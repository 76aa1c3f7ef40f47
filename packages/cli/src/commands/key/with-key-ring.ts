import { openKeyRing, type KeyRing } from "@ovault/core";
import { Installation } from "@ovault/operations";

import type { CommandContext } from "../../command.ts";

export interface KeyCommandOptions {
  /** Name in ovault.yaml. */
  readonly destination?: string | undefined;
}

/** Opens the keys of an encrypted destination, without its index, for the duration of `work`. */
export async function withKeyRing<T>(
  context: CommandContext,
  { destination }: KeyCommandOptions,
  work: (ring: KeyRing) => Promise<T>,
): Promise<T> {
  await using installation = await Installation.open(context);
  await installation.assertHoldsRepository(destination);
  const access = await installation.access(destination);
  const store = await installation.store(destination);
  try {
    return await work(await openKeyRing(store, access));
  } finally {
    await store.close();
  }
}
