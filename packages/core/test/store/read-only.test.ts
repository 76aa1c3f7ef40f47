import { describe, expect, test } from "vitest";

import { readOnly } from "@ovault/core";
import { HoldingStore, keysOf } from "@ovault/testkit";

const { signal } = new AbortController();

describe("a read-only store", () => {
  test("refuses every change and names the setting, and reads on", async () => {
    const place = new HoldingStore();
    await place.put("a", [Buffer.from("x")], { ifAbsent: true, signal });
    const store = readOnly(place, "destinations.nas.readOnly in ovault.yaml");
    const refusal = {
      code: "E_STORE_READ_ONLY",
      retry: "never",
      hint: expect.stringContaining("destinations.nas.readOnly in ovault.yaml"),
    };
    await expect(store.put("b", [], { ifAbsent: true, signal })).rejects.toMatchObject(refusal);
    await expect(store.delete("a", { signal })).rejects.toMatchObject(refusal);
    await expect(store.retention?.extend("a", new Date(), { signal })).rejects.toMatchObject(refusal);
    expect(await store.retention?.heldUntil("a", { signal })).toBeUndefined();
    expect(Buffer.from(await store.get("a", { signal })).toString()).toBe("x");
    expect(await store.stat("a", { signal })).toEqual({ key: "a", bytes: 1 });
    expect(await keysOf(store)).toEqual(["a"]);
  });
});
