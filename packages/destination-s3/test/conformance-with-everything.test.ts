import { randomBytes } from "node:crypto";

import { describeChecks, objectStoreChecks } from "@ovault/testkit";

import { openTwice } from "./support/open-twice.ts";
import { newBucket } from "./support/s3-destination.ts";
import { sharedGateway } from "./support/shared-gateway.ts";

/** Pages are the same in any bucket, and a thousand objects take long where each has versions to be looked for. */
const checks = objectStoreChecks.filter(({ name }) => !name.startsWith("a listing of"));

describeChecks("a bucket with object lock, below a prefix, with a key of ours, over TLS", checks, {
  timeoutMs: 60_000,
  async open() {
    const gateway = await sharedGateway();
    const options = newBucket(gateway, {
      endpoint: gateway.secureEndpoint,
      ca: { pem: gateway.ca },
      prefix: "backups/of-ours",
      objectLock: { mode: "governance" },
      serverSideEncryption: { customerKey: { command: ["echo", randomBytes(32).toString("base64")] } },
    });
    const { store, second, dispose } = await openTwice(options);
    return { subject: { store, second, runs: 5, longestKey: 512 }, dispose };
  },
});
