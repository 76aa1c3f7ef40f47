import { expect, test } from "vitest";

import { ReplyCache } from "../src/rpc/reply-cache.ts";

const args = Buffer.from("args");

test("a client that calls without end takes no replies from another", async () => {
  const cache = new ReplyCache();
  const call = (address: string, title: string, reply: string) =>
    cache.once(address, title, args, () => Promise.resolve([Buffer.from(reply)]));
  await call("10.0.0.1", "1", "first");
  for (let number = 0; number < 5000; number++) await call("10.0.0.2", String(number), "other");
  expect(String(await call("10.0.0.1", "1", "second"))).toBe("first");
  // Its own oldest ones are gone, and take no memory.
  expect(String(await call("10.0.0.2", "0", "again"))).toBe("again");
  expect(String(await call("10.0.0.2", "4999", "again"))).toBe("other");
});

test("clients without end take the replies of those that called longest ago", async () => {
  const cache = new ReplyCache();
  const call = (address: string, reply: string) =>
    cache.once(address, "1", args, () => Promise.resolve([Buffer.from(reply)]));
  for (let client = 0; client < 300; client++) await call(`10.0.${client >> 8}.${client & 255}`, "first");
  expect(String(await call("10.0.1.0", "second"))).toBe("first");
  expect(String(await call("10.0.0.0", "second"))).toBe("second");
});

test("a call that failed is carried out again", async () => {
  const cache = new ReplyCache();
  await expect(cache.once("a", "1", args, () => Promise.reject(new Error("gone")))).rejects.toThrow("gone");
  expect(String(await cache.once("a", "1", args, () => Promise.resolve([Buffer.from("now")])))).toBe("now");
});
