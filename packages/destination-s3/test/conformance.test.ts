import { randomBytes } from "node:crypto";

import type { S3Options } from "@ovault/destination-s3";
import { describeObjectStore, type OpenedObjectStore } from "@ovault/testkit";

import { newBucket, openNewStore, openStore } from "./support/s3-destination.ts";
import { sharedGateway } from "./support/shared-gateway.ts";

async function openTwice(options: Partial<S3Options> = {}): Promise<OpenedObjectStore> {
  const chosen = newBucket(await sharedGateway(), options);
  const store = await openNewStore(chosen);
  const second = await openStore(chosen);
  const dispose = async () => {
    await store.close();
    await second.close();
  };
  return { store, second, dispose };
}

describeObjectStore("an S3 bucket", { open: () => openTwice() });

describeObjectStore("a bucket with object lock, below a prefix, with a key of ours, over TLS", {
  runs: 5,
  open: async () => {
    const { secureEndpoint, ca } = await sharedGateway();
    return await openTwice({
      endpoint: secureEndpoint,
      ca: { pem: ca },
      prefix: "backups/of-ours",
      objectLock: { mode: "governance" },
      serverSideEncryption: { customerKey: { command: ["echo", randomBytes(32).toString("base64")] } },
    });
  },
});
