import { aboutOption, ConfigurationError, type PluginHost } from "@ovault/contract";

import type { S3Options } from "./options.ts";

const KEY_BYTES = 32;

interface CustomerKey {
  readonly SSECustomerAlgorithm: "AES256";
  /** Base64; the SDK adds its digest. */
  readonly SSECustomerKey: string;
}

/** Encryption parameters of requests. */
export interface Encryption {
  /** For requests that create an object. */
  readonly write: Partial<CustomerKey> & {
    readonly ServerSideEncryption?: "AES256" | "aws:kms";
    readonly SSEKMSKeyId?: string;
  };
  /** For requests that read it or send a part of it. */
  readonly read: Partial<CustomerKey>;
}

/** @throws ConfigurationError when the customer's key is invalid. */
export async function resolveEncryption(
  chosen: S3Options["serverSideEncryption"],
  { secret }: PluginHost,
): Promise<Encryption> {
  if (chosen === undefined) return { write: {}, read: {} };
  if (chosen === "AES256") return { write: { ServerSideEncryption: "AES256" }, read: {} };
  if ("kmsKeyId" in chosen) {
    return { write: { ServerSideEncryption: "aws:kms", SSEKMSKeyId: chosen.kmsKeyId }, read: {} };
  }
  const key = Buffer.from(
    await aboutOption("serverSideEncryption.customerKey", () => secret(chosen.customerKey)),
    "base64",
  );
  if (key.byteLength !== KEY_BYTES) {
    throw new ConfigurationError(`the customer key has ${key.byteLength} bytes, it must have ${KEY_BYTES}`, {
      hint: "Make one with `openssl rand -base64 32`. Without it nothing in the bucket can be read again: keep a copy.",
    });
  }
  const headers = { SSECustomerAlgorithm: "AES256", SSECustomerKey: key.toString("base64") } as const;
  return { write: headers, read: headers };
}
