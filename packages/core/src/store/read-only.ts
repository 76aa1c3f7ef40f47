import { type ObjectKey, type ObjectStore, StoreReadOnlyError } from "@ovault/contract";
import { delegate } from "./around-calls.ts";

/** Refuses every change. `setting` is what made the store read-only, for the error's text. */
export function readOnly(store: ObjectStore, setting: string): ObjectStore {
  const refuse = async (what: string, key: ObjectKey): Promise<never> => {
    throw new StoreReadOnlyError(`${key} cannot be ${what}: the destination is set to be read-only`, {
      context: { key },
      hint: `Take ${setting} away, or use another destination.`,
    });
  };
  const { retention } = store;
  return {
    ...delegate(store),
    put: (key) => refuse("stored", key),
    delete: (key) => refuse("deleted", key),
    ...(retention !== undefined && {
      retention: {
        extend: (key) => refuse("held for longer", key),
        heldUntil: (key, options) => retention.heldUntil(key, options),
      },
    }),
  };
}
