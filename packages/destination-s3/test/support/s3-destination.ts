import { randomUUID } from "node:crypto";

import { S3 } from "@aws-sdk/client-s3";

import type { ObjectStore, PluginHost } from "@ovault/contract";
import { resolveSecret } from "@ovault/core";
import plugin, { type S3Options } from "@ovault/destination-s3";
import type { RadosGateway } from "@ovault/test-support/rados-gateway";

const baseDirectory = import.meta.dirname;

export const host: PluginHost = {
  baseDirectory,
  signal: new AbortController().signal,
  secret: (reference) => resolveSecret(reference, { baseDirectory }),
};

/** Options for a bucket of its own, which is not there yet. */
export function newBucket(gateway: RadosGateway, options: Partial<S3Options> = {}): S3Options {
  return {
    bucket: `ovault-${randomUUID()}`,
    endpoint: gateway.endpoint,
    credentials: {
      accessKeyId: { command: ["echo", gateway.accessKeyId] },
      secretAccessKey: { command: ["echo", gateway.secretAccessKey] },
    },
    ...options,
  };
}

/** Through the plugin, as ovault does. */
export async function openStore(options: S3Options): Promise<ObjectStore> {
  return await plugin.create(options, host);
}

export async function prepareBucket(options: S3Options): Promise<void> {
  await plugin.prepare?.(options, host);
}

/** A client of the service's own kind, to look behind the store. */
export function clientOf(gateway: RadosGateway): S3 {
  const { endpoint, accessKeyId, secretAccessKey } = gateway;
  const credentials = { accessKeyId, secretAccessKey };
  return new S3({ endpoint, region: "us-east-1", forcePathStyle: true, credentials });
}
