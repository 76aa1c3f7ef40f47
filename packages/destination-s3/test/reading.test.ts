import { describe, expect, test } from "vitest";

import { keysOf } from "@ovault/testkit";

import { storeBehindProxy } from "./support/store-behind-proxy.ts";

const signal = new AbortController().signal;
const body = Buffer.from("0123456789");

describe("answers that are not what was asked for", () => {
  test("a service that sends all instead of a range is not believed", async () => {
    const { proxy, store } = await storeBehindProxy();
    proxy.fault = ({ method }) => (method === "GET" ? { kind: "answer", status: 200, body: "0123456789" } : undefined);
    const range = { offset: 2, length: 3 };
    await expect(store.get("a", { range, signal })).rejects.toMatchObject({ code: "E_STORE" });
  });

  test("another range than the one that was asked for is not believed", async () => {
    const { proxy, store } = await storeBehindProxy();
    for (const answered of ["bytes 3-5/10", "bytes 2-3/10", "bytes 2-4", "nonsense"]) {
      const headers = { "content-range": answered };
      proxy.fault = () => ({ kind: "answer", status: 206, body: "234", headers });
      const get = store.get("a", { range: { offset: 2, length: 3 }, signal });
      await expect(get).rejects.toMatchObject({ code: "E_STORE" });
    }
  });

  test("more or fewer bytes than were announced are an integrity error", async () => {
    const { proxy, store } = await storeBehindProxy();
    const headers = { "content-range": "bytes 2-4/10" };
    for (const sent of ["23", "23456789"]) {
      proxy.fault = () => ({ kind: "answer", status: 206, body: sent, headers });
      const get = store.get("a", { range: { offset: 2, length: 3 }, signal });
      await expect(get).rejects.toMatchObject({ code: "E_INTEGRITY" });
    }
  });

  test("an object that is larger than any of ovault is refused before memory is taken for it", async () => {
    const { proxy, store } = await storeBehindProxy();
    const headers = { "content-length": `${2 ** 40}` };
    proxy.fault = () => ({ kind: "answer", status: 200, body: "", headers });
    await expect(store.get("a", { signal })).rejects.toMatchObject({ code: "E_INTEGRITY" });
  });
});

describe("listings", () => {
  test("pass over what is no object of ours", async () => {
    const { proxy, store } = await storeBehindProxy({ prefix: "ours" });
    await store.put("points/a", [body], { ifAbsent: true, signal });
    const foreign = ["ours/Upper", "ours/a b", "ours/%E4", "ours/..%2Fup", "ours/.hidden", "ours//", "theirs/a"];
    const edit = (text: string) =>
      text.replace(
        "</ListBucketResult>",
        foreign.map((name) => `<Contents><Key>${name}</Key><Size>1</Size></Contents>`).join("") + "</ListBucketResult>",
      );
    proxy.fault = () => ({ kind: "edit", edit });
    expect(await keysOf(store)).toEqual(["points/a"]);
  });

  test.each([
    ["out of order", "<Contents><Key>b</Key><Size>1</Size></Contents><Contents><Key>a</Key><Size>1</Size></Contents>"],
    ["without sizes", "<Contents><Key>a</Key></Contents>"],
    ["that end in the middle", "<IsTruncated>true</IsTruncated>"],
    ["that never end", "<IsTruncated>true</IsTruncated><NextContinuationToken>again</NextContinuationToken>"],
  ])("%s are an error", async (_, contents) => {
    const { proxy, store } = await storeBehindProxy();
    const page = `<ListBucketResult>${contents}</ListBucketResult>`;
    proxy.fault = () => ({ kind: "answer", status: 200, body: page });
    await expect(keysOf(store)).rejects.toMatchObject({ code: "E_STORE", hint: expect.stringContaining("list") });
  });
});
