import { afterEach, beforeEach, expect, onTestFinished, test, vi } from "vitest";

import { newBucket, openStore, prepareBucket } from "./support/s3-destination.ts";
import { sharedGateway } from "./support/shared-gateway.ts";

/** A machine on which the SDK was never set up. */
beforeEach(() => {
  for (const name of ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION"]) {
    vi.stubEnv(name, undefined);
  }
  vi.stubEnv("AWS_EC2_METADATA_DISABLED", "true");
  vi.stubEnv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent");
  vi.stubEnv("AWS_CONFIG_FILE", "/nonexistent");
});
afterEach(() => void vi.unstubAllEnvs());

test("credentials that are not configured are searched where the SDK searches", async () => {
  const gateway = await sharedGateway();
  const { credentials, ...options } = newBucket(gateway);
  expect(credentials).toBeDefined();
  await expect(openStore(options)).rejects.toMatchObject({
    code: "E_STORE_PERMISSION",
    message: expect.stringContaining("no credentials"),
    hint: expect.stringContaining("AWS_PROFILE"),
  });
  vi.stubEnv("AWS_ACCESS_KEY_ID", gateway.accessKeyId);
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", gateway.secretAccessKey);
  await prepareBucket(options);
  const store = await openStore(options);
  onTestFinished(() => store.close());
  expect(store.capabilities.conditionalPut).toBe(true);
});

test("Amazon's own service needs a region, and no request is sent without one", async () => {
  const open = openStore({ bucket: "backups" });
  await expect(open).rejects.toMatchObject({ code: "E_CONFIGURATION", hint: expect.stringContaining("AWS_REGION") });
});
