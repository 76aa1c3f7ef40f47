import { FilesystemStore } from "@ovault/destination-filesystem";
import { describeObjectStore } from "@ovault/testkit";

import { openTemporaryStore } from "./support/temporary-store.ts";

describeObjectStore("the filesystem destination", {
  open: async () => {
    const temporary = await openTemporaryStore();
    return { ...temporary, second: await FilesystemStore.open(temporary.directory) };
  },
});
