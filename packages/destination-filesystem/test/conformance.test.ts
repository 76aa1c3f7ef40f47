import { describeObjectStore } from "../../core/test/support/object-store-contract.ts";
import { openTemporaryStore } from "./support/temporary-store.ts";

describeObjectStore("the filesystem destination", { open: openTemporaryStore });
