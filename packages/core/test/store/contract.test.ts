import type { ObjectStore } from "@ovault/contract";
import { limited, retrying, throttled, timed } from "@ovault/core";
import { describeObjectStore, HoldingStore } from "@ovault/testkit";
import { SimulatedClock } from "@ovault/test-support/simulated-clock";

const wrappers: Readonly<Record<string, (store: ObjectStore) => ObjectStore>> = {
  retrying: (store) => retrying(store),
  limited: (store) => limited(store, 2),
  throttled: (store) =>
    throttled(store, { uploadBytesPerSecond: 1e8, downloadBytesPerSecond: 1e8 }, new SimulatedClock()),
  timed: (store) => timed(store, () => {}),
};

for (const [name, wrap] of Object.entries(wrappers)) {
  describeObjectStore(`a ${name} store`, {
    open: async () => {
      const place = new HoldingStore();
      return { store: wrap(place), second: wrap(place), dispose: () => place.close() };
    },
  });
}
