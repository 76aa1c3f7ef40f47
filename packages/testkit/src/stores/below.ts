import { assertKeyPrefix, type ObjectStore, type RetentionControl } from "@ovault/contract";

/**
 * A folder of a store as a store of its own. Prefixes keys without checking them, so that the driver refuses bad ones.
 * Its `close` does nothing: the caller closes the whole store.
 * @param prefix ends in `/`; shortens the longest key by its length
 */
export function below(store: ObjectStore, prefix: string): ObjectStore {
  assertKeyPrefix(prefix);
  const { retention } = store;
  return {
    capabilities: store.capabilities,
    put: (key, parts, options) => store.put(prefix + key, parts, options),
    get: (key, options) => store.get(prefix + key, options),
    stat: async (key, options) => ({ ...(await store.stat(prefix + key, options)), key }),
    async *list(inner, options) {
      for await (const info of store.list(prefix + inner, options)) {
        yield { ...info, key: info.key.slice(prefix.length) };
      }
    },
    delete: (key, options) => store.delete(prefix + key, options),
    close: async () => {},
    ...(retention === undefined ? {} : { retention: retentionBelow(retention, prefix) }),
  };
}

function retentionBelow(retention: RetentionControl, prefix: string): RetentionControl {
  return {
    extend: (key, until, options) => retention.extend(prefix + key, until, options),
    heldUntil: (key, options) => retention.heldUntil(prefix + key, options),
  };
}
