import { aborting } from "./aborting.ts";
import { keys } from "./keys.ts";
import { listing } from "./listing.ts";
import type { ObjectStoreCheck } from "./object-store-check.ts";
import { overwriting } from "./overwriting.ts";
import { putIfAbsent } from "./put-if-absent.ts";
import { reading } from "./reading.ts";
import { retention } from "./retention.ts";
import { twoClients } from "./two-clients.ts";
import { wholeObjects } from "./whole-objects.ts";

/** The whole ObjectStore contract. Each check needs an empty store. */
export const objectStoreChecks: readonly ObjectStoreCheck[] = [
  ...wholeObjects,
  ...reading,
  ...keys,
  ...listing,
  ...putIfAbsent,
  ...overwriting,
  ...aborting,
  ...twoClients,
  ...retention,
];
