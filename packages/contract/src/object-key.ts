import type { ObjectKey } from "./object-store.ts";
import { StoreError } from "./errors/store-errors.ts";

/** Dots inside names, never at either end: no `..`, no hidden file, and nothing that Windows servers strip. */
const NAME = /^[a-z0-9_-](?:[a-z0-9_.-]*[a-z0-9_-])?$/;
const LONGEST_NAME = 200;
const LONGEST_KEY = 512;

/** True for one `/`-separated part of an object key. */
export function isKeyName(name: string): boolean {
  return name.length <= LONGEST_NAME && NAME.test(name);
}

/** Drivers call this before a key reaches a path, a URL or a command. */
export function assertObjectKey(key: ObjectKey): void {
  if (isObjectKey(key)) return;
  throw new StoreError(`${JSON.stringify(key.slice(0, LONGEST_KEY))} is not an object key`);
}

/** Drivers call this before `list`: a prefix is empty, or names that each end in `/`. */
export function assertKeyPrefix(prefix: string): void {
  if (prefix === "" || (prefix.endsWith("/") && isObjectKey(prefix.slice(0, -1)))) return;
  throw new StoreError(`${JSON.stringify(prefix.slice(0, LONGEST_KEY))} is not a prefix of object keys`);
}

/** True if `assertObjectKey` accepts it. */
export function isObjectKey(text: string): boolean {
  return text.length <= LONGEST_KEY && text.split("/").every(isKeyName);
}
