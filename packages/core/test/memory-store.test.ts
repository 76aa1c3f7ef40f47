import { describeObjectStore } from "./support/object-store-contract.ts";
import { MemoryStore } from "./support/memory-store.ts";

describeObjectStore("the memory store", {
  open: async () => {
    const store = new MemoryStore();
    return { store, dispose: () => store.close() };
  },
});
