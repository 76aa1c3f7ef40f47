import type { ObjectStore } from "@ovault/contract";
import {
  describeObjectStore,
  EventuallyConsistentStore,
  FaultyStore,
  HoldingStore,
  MemoryStore,
  SlowStore,
} from "@ovault/testkit";

const stores: Readonly<Record<string, () => ObjectStore>> = {
  "a memory store": () => new MemoryStore(),
  "a memory store that holds objects": () => new HoldingStore(),
  "a slow store": () => new SlowStore(new HoldingStore(), () => 0),
  "a faulty store whose fault never comes": () =>
    new FaultyStore(new HoldingStore(), { call: Infinity, when: "before" }),
  "an eventually consistent store without lag": () =>
    new EventuallyConsistentStore({ listings: () => 0, reads: () => 0 }),
};

for (const [name, make] of Object.entries(stores)) {
  describeObjectStore(name, {
    runs: 2,
    open: async () => {
      const store = make();
      return { store, second: store, dispose: () => store.close() };
    },
  });
}
