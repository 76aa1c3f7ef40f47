import type { Check } from "../check.ts";
import type { StoreUnderTest } from "./store-under-test.ts";

/** One law of the ObjectStore contract. */
export type ObjectStoreCheck = Check<StoreUnderTest>;
