import koffi from "koffi";
import { expect, test, vi } from "vitest";

import { reportWarningsTo } from "@ovault/core";

test("where the system has no such library, encoding says what to install, and decoding does without, with one warning", async () => {
  // koffi finds its own parts while the platform is the right one.
  expect(koffi.version).toBeDefined();
  // The name that the library has on another system: nothing of that name can be loaded here.
  const { platform } = process;
  Object.defineProperty(process, "platform", { value: platform === "darwin" ? "linux" : "darwin" });
  try {
    const { decompressBlock, lz4Library } = await vi.importActual<
      typeof import("../../src/blocks/encodings/lz4-library.ts")
    >("../../src/blocks/encodings/lz4-library.ts");
    expect(() => lz4Library()).toThrow(
      expect.objectContaining({ code: "E_MISSING_LIBRARY", hint: expect.stringContaining("liblz4-1") }),
    );
    const warnings: string[] = [];
    reportWarningsTo((text) => warnings.push(text));
    const room = new Uint8Array(5);
    expect([1, 2].map(() => decompressBlock(Buffer.from("\u0050ovirt"), room))).toEqual([5, 5]);
    expect(Buffer.from(room).toString()).toBe("ovirt");
    expect(warnings).toEqual([expect.stringMatching(/liblz4.*more slowly.*apt-get install/)]);
  } finally {
    Object.defineProperty(process, "platform", { value: platform });
  }
});
