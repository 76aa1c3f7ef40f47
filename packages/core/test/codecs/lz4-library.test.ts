import koffi from "koffi";
import { expect, test, vi } from "vitest";

test("where the system has no such library, the error says what to install, and what does without", async () => {
  // koffi finds its own parts while the platform is the right one.
  expect(koffi.version).toBeDefined();
  // The name that the library has on another system: nothing of that name can be loaded here.
  const { platform } = process;
  Object.defineProperty(process, "platform", { value: platform === "darwin" ? "linux" : "darwin" });
  try {
    const { lz4Library } = await vi.importActual<typeof import("../../src/codecs/lz4-library.ts")>(
      "../../src/codecs/lz4-library.ts",
    );
    expect(() => lz4Library()).toThrow(
      expect.objectContaining({ code: "E_MISSING_LIBRARY", hint: expect.stringContaining("liblz4-1") }),
    );
  } finally {
    Object.defineProperty(process, "platform", { value: platform });
  }
});
