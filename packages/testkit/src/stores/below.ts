import { assertKeyPrefix, type ObjectStore, type RetentionControl } from "@ovault/contract";

/**
 * A folder of a store as a store of its own. Keys pass unchecked behind the prefix, so that the driver is what refuses
 * them. Closing it does nothing: whoever opened the whole store closes that.
 * @param prefix ends in `/`; the keys are shorter by its length.
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
