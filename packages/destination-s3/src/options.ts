import { isIP } from "node:net";

import type { StorageClass } from "@aws-sdk/client-s3";
import { z } from "zod";

import { secretReference, type SecretReference } from "@ovault/contract";

/** Classes whose objects must be restored before they can be read. */
const ARCHIVES: ReadonlySet<string> = new Set(["GLACIER", "DEEP_ARCHIVE"]);

export interface S3Options {
  readonly bucket: string;
  /** Prefix of all keys: `backups/ovault`. Everything below it belongs to ovault alone. */
  readonly prefix?: string | undefined;
  /** `https://s3.example.com:9000`; Amazon's own when absent. */
  readonly endpoint?: string | undefined;
  readonly region?: string | undefined;
  /** The bucket in the path instead of the host name. Default: true with an `endpoint`. */
  readonly pathStyle?: boolean | undefined;
  /** Certificates in PEM that are trusted instead of the system's. */
  readonly ca?: { readonly file: string } | { readonly pem: string } | undefined;
  /** The SDK's own chain (environment, profile, role of the machine) when absent. */
  readonly credentials?: S3Credentials | undefined;
  /** For objects of 1 MiB and more, which are packs and large indexes. */
  readonly storageClass?: StorageClass | undefined;
  readonly serverSideEncryption?: ServerSideEncryption | undefined;
  readonly objectLock?: { readonly mode: "governance" | "compliance" } | undefined;
  /** Whether the service honours `If-None-Match: *`; `auto` (the default) finds out when the store is opened. */
  readonly conditionalPut?: "auto" | "yes" | "no" | undefined;
  /** Idle time after which a request fails. Default 60,000. */
  readonly timeoutMs?: number | undefined;
}

export interface S3Credentials {
  readonly accessKeyId: SecretReference;
  readonly secretAccessKey: SecretReference;
  readonly sessionToken?: SecretReference | undefined;
}

/** With the service's keys, a key of its key management, or our own key, which it forgets after each request. */
export type ServerSideEncryption = "AES256" | { readonly kmsKeyId: string } | { readonly customerKey: SecretReference };

const shape: z.ZodType<S3Options> = z.strictObject({
  bucket: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]$/, "is not the name of a bucket"),
  prefix: z
    .string()
    .regex(/^[A-Za-z0-9_-][A-Za-z0-9_.-]*(\/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*\/?$/, "must be names joined by /")
    .max(256)
    .optional(),
  endpoint: z
    .url({ protocol: /^https?$/ })
    .refine(isOrigin, "must be protocol, host and port only")
    .optional(),
  region: z.string().min(1).optional(),
  pathStyle: z.boolean().optional(),
  ca: z.union([z.strictObject({ file: z.string().min(1) }), z.strictObject({ pem: z.string().min(1) })]).optional(),
  credentials: z
    .strictObject({
      accessKeyId: secretReference,
      secretAccessKey: secretReference,
      sessionToken: secretReference.optional(),
    })
    .optional(),
  storageClass: z
    .custom<StorageClass>(isClassName, "must be the name of a storage class")
    .refine((name) => !ARCHIVES.has(name), "cannot be read before it is brought back, which takes hours")
    .optional(),
  serverSideEncryption: z
    .union([
      z.literal("AES256"),
      z.strictObject({ kmsKeyId: z.string().min(1) }),
      z.strictObject({ customerKey: secretReference }),
    ])
    .optional(),
  objectLock: z.strictObject({ mode: z.enum(["governance", "compliance"]) }).optional(),
  conditionalPut: z.enum(["auto", "yes", "no"]).optional(),
  timeoutMs: z.int().positive().optional(),
});

export const options: z.ZodType<S3Options> = shape
  .refine((chosen) => !sendsKey(chosen) || !isPlain(chosen.endpoint), {
    path: ["serverSideEncryption", "customerKey"],
    message: "would travel in the clear: the endpoint must be https",
  })
  .refine((chosen) => chosen.pathStyle !== false || !isAddress(chosen.endpoint), {
    path: ["pathStyle"],
    message: "must be true where the endpoint is an address: a bucket cannot be put before it",
  });

/** Services have their own classes beside Amazon's. */
function isClassName(value: unknown): boolean {
  return typeof value === "string" && /^[A-Za-z0-9_.-]+$/.test(value);
}

function isOrigin(endpoint: string): boolean {
  const url = URL.parse(endpoint);
  return url?.href === `${url?.origin}/`;
}

function isPlain(endpoint: string | undefined): boolean {
  return endpoint?.startsWith("http:") === true;
}

function isAddress(endpoint: string | undefined): boolean {
  const { hostname = "" } = URL.parse(endpoint ?? "") ?? {};
  return isIP(hostname.replaceAll(/[[\]]/g, "")) !== 0;
}

function sendsKey({ serverSideEncryption: chosen }: S3Options): boolean {
  return typeof chosen === "object" && "customerKey" in chosen;
}
