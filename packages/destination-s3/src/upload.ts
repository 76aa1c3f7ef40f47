import type { PutObjectCommandInput } from "@aws-sdk/client-s3";

import { StoreError } from "@ovault/contract";

import type { Body } from "./body.ts";
import type { Encryption } from "./encryption.ts";
import type { S3Options } from "./options.ts";

/** Cheaper classes bill every object as if it had 128 KiB or more, and reading it again: nothing for small ones. */
const STORAGE_CLASS_FROM_BYTES = 1024 * 1024;

/** What an object is given when it begins to exist. */
export type ObjectAttributes = Pick<
  PutObjectCommandInput,
  | "ContentType"
  | "StorageClass"
  | "ServerSideEncryption"
  | "SSEKMSKeyId"
  | "SSECustomerAlgorithm"
  | "SSECustomerKey"
  | "ObjectLockMode"
  | "ObjectLockRetainUntilDate"
>;

export interface Upload {
  /** In the bucket. */
  readonly name: string;
  readonly body: Body;
  readonly attributes: ObjectAttributes;
  /** Sends `If-None-Match: *`. What comes of it is the service's affair. */
  readonly ifNoneMatch: boolean;
  readonly signal: AbortSignal;
}

export function attributesOf(
  { storageClass, objectLock }: S3Options,
  encryption: Encryption,
  { bytes, retainUntil }: { readonly bytes: number; readonly retainUntil: Date | undefined },
): ObjectAttributes {
  const holds = objectLock !== undefined && retainUntil !== undefined && retainUntil.getTime() > Date.now();
  return {
    ContentType: "application/octet-stream",
    ...encryption.write,
    ...(bytes < STORAGE_CLASS_FROM_BYTES ? {} : { StorageClass: storageClass }),
    ...(holds ? { ObjectLockMode: lockModeOf(objectLock), ObjectLockRetainUntilDate: atLeast(retainUntil) } : {}),
  };
}

export function lockModeOf({ mode }: NonNullable<S3Options["objectLock"]>): "GOVERNANCE" | "COMPLIANCE" {
  return mode === "governance" ? "GOVERNANCE" : "COMPLIANCE";
}

/** Services may keep whole seconds only. */
export function atLeast(date: Date): Date {
  return new Date(Math.ceil(date.getTime() / 1000) * 1000);
}

/** @throws StoreError when the service did not say that it encrypts as it was told: some ignore what they do not know. */
export function assertEncrypted({ name, attributes }: Upload, answer: ObjectAttributes): void {
  const { ServerSideEncryption: byService, SSECustomerAlgorithm: byCustomer } = attributes;
  const done = byService === undefined || answer.ServerSideEncryption === byService;
  if (done && answer.SSECustomerAlgorithm === byCustomer) return;
  throw new StoreError(`the service did not encrypt ${name} (${byService ?? "customer key"}), and did not say so`, {
    hint: "It has no such encryption: remove `serverSideEncryption`, and encrypt the repository instead.",
  });
}
