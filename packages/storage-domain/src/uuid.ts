import { StorageDomainError } from "./errors.ts";

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** What vdsm writes where there is no parent. */
export const BLANK_UUID = "00000000-0000-0000-0000-000000000000";

/** Names of domains, images, volumes and machines in the tree have this form alone, so that none leads elsewhere. */
export function isUuid(text: string): boolean {
  return UUID.test(text);
}

/** @throws StorageDomainError when the text, which `what` describes, is no UUID in lower case */
export function requireUuid(text: string, what: string): string {
  if (isUuid(text)) return text;
  throw new StorageDomainError(`${what} is no UUID`, { context: { value: text.slice(0, 100) } });
}
