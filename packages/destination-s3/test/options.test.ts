import { describe, expect, test } from "vitest";

import plugin from "@ovault/destination-s3";

import { options as schema } from "../src/options.ts";
import { host } from "./support/s3-destination.ts";

const bucket = "backups";
const secret = { env: "SECRET" };
const parse = (chosen: object) => schema.safeParse({ bucket, ...chosen });

describe("options", () => {
  test.each([
    {},
    { prefix: "ovault" },
    { prefix: "Site_1/ovault/" },
    { endpoint: "https://s3.example.com:9000", pathStyle: false, region: "garage" },
    { endpoint: "http://[::1]:9000" },
    { ca: { file: "ca.pem" } },
    { credentials: { accessKeyId: secret, secretAccessKey: secret, sessionToken: secret } },
    { storageClass: "STANDARD_IA" },
    { storageClass: "OUR-COLD-POOL" },
    { serverSideEncryption: "AES256" },
    { serverSideEncryption: { kmsKeyId: "alias/backup" } },
    { serverSideEncryption: { customerKey: secret } },
    { endpoint: "https://s3.example.com", serverSideEncryption: { customerKey: secret } },
    { objectLock: { mode: "compliance" } },
    { conditionalPut: "no", timeoutMs: 5000 },
  ])("%o is fine", (options) => {
    expect(parse(options).error).toBeUndefined();
  });

  test.each([
    ["a misspelt key", { buckets: "x" }],
    ["a bucket that is a path", { bucket: "a/b" }],
    ["a bucket that leads out", { bucket: ".." }],
    ["a prefix that leads out", { prefix: "a/../b" }],
    ["a prefix with an empty name", { prefix: "a//b" }],
    ["a prefix that begins at the root", { prefix: "/a" }],
    ["an endpoint without a protocol", { endpoint: "s3.example.com" }],
    ["an endpoint of another protocol", { endpoint: "ftp://s3.example.com" }],
    ["an endpoint with a path", { endpoint: "https://s3.example.com/bucket" }],
    ["an endpoint with a password", { endpoint: "https://user:password@s3.example.com" }],
    ["a secret written out", { credentials: { accessKeyId: secret, secretAccessKey: "hunter2" } }],
    ["half of the credentials", { credentials: { accessKeyId: secret } }],
    ["a class that cannot be read", { storageClass: "DEEP_ARCHIVE" }],
    ["an unknown class", { storageClass: "a b" }],
    ["a lock of its own kind", { objectLock: { mode: "forever" } }],
    ["a key sent in the clear", { endpoint: "http://s3.example.com", serverSideEncryption: { customerKey: secret } }],
    ["a bucket before an address", { endpoint: "http://127.0.0.1:9000", pathStyle: false }],
  ])("%s is refused, and never echoed", (_, options) => {
    const { error } = parse(options);
    expect(error).toBeDefined();
    expect(JSON.stringify(error)).not.toMatch(/hunter2|password/);
  });

  test("a customer key of another length is an error of the configuration that does not show it", async () => {
    const customerKey = { command: ["echo", Buffer.from("too short").toString("base64")] };
    const open = plugin.create({ bucket, region: "x", serverSideEncryption: { customerKey } }, host);
    await expect(open).rejects.toMatchObject({
      code: "E_CONFIGURATION",
      message: expect.stringMatching(/^(?!.*too short).*9 bytes/),
      hint: expect.stringContaining("openssl rand"),
    });
  });
});
