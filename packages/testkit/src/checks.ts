export * from "./check.ts";
export * from "./object-store/check-object-store.ts";
export * from "./object-store/object-store-check.ts";
export * from "./object-store/object-store-checks.ts";
export { LONGEST_KEY, type StoreUnderTest } from "./object-store/store-under-test.ts";
export * from "./plugin-options.ts";
export * from "./run-check.ts";
export * from "./stores/below.ts";
