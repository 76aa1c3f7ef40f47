import { describeObjectStore, MemoryStore } from "@ovault/testkit";

describeObjectStore("the memory store", {
  open: async () => {
    const store = new MemoryStore();
    return { store, second: store, dispose: () => store.close() };
  },
});
