export * from "./checks.ts";
export * from "./describe-checks.ts";
export * from "./describe-object-store.ts";
export * from "./stores/faulty-store.ts";
export * from "./stores/listed.ts";
export * from "./stores/memory-store.ts";
export * from "./stores/scheduled-store.ts";
