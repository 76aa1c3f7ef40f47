export * from "./consistency.ts";
export { CommandError } from "./errors.ts";
export { frozenGuests } from "./frozen-guests.ts";
export { type CommandOptions, type ConsistencyOptions, consistencySchema, type GuestServer } from "./schema.ts";
