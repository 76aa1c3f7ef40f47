import type { PutObjectCommandInput } from "@aws-sdk/client-s3";

import { StoreError } from "@ovault/contract";

import type { Body } from "./body.ts";
import type { Encryption } from "./encryption.ts";
import type { S3Options } from "./options.ts";

/** Cheaper classes bill at least 128 KiB per object, and every read: not worth it for small objects. */
const STORAGE_CLASS_FROM_BYTES = 1024 * 1024;

/** Attributes set when an object is created. */
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
  /** Name in the bucket. */
  readonly name: string;
  readonly body: Body;
  readonly attributes: ObjectAttributes;
  /** Sends `If-None-Match: *`; whether it has an effect depends on the service. */
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

/** Rounds up to whole seconds: services may keep no fractions. */
export function atLeast(date: Date): Date {
  return new Date(Math.ceil(date.getTime() / 1000) * 1000);
}

/** @throws StoreError when the answer does not confirm the requested encryption: some services ignore the header. */
export function assertEncrypted({ name, attributes }: Upload, answer: ObjectAttributes): void {
  const { ServerSideEncryption: byService, SSECustomerAlgorithm: byCustomer } = attributes;
  const done = byService === undefined || answer.ServerSideEncryption === byService;
  if (done && answer.SSECustomerAlgorithm === byCustomer) return;
  throw new StoreError(`the service did not encrypt ${name} (${byService ?? "customer key"}), and did not say so`, {
    hint: "It has no such encryption: remove `serverSideEncryption`, and encrypt the repository instead.",
  });
}
