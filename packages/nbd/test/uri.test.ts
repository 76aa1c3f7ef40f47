import * as fc from "fast-check";
import { expect, test } from "vitest";

import { formatNbdUri, parseNbdUri } from "../src/index.ts";

test("a URI names host, port, export and TLS", () => {
  expect(parseNbdUri("nbd://example.org/disk")).toEqual({
    address: { host: "example.org", port: 10809 },
    exportName: "disk",
    tls: false,
  });
  expect(parseNbdUri("nbds://[::1]:4000")).toEqual({ address: { host: "::1", port: 4000 }, exportName: "", tls: true });
});

test("any export name and any socket path survive the URI", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), fc.string({ unit: "grapheme", minLength: 1 }), (name, path) => {
      const uri = `nbd+unix:///${encodeURIComponent(name)}?socket=${encodeURIComponent(path)}`;
      // Dots alone are path segments to a URL, as RFC 3986 wants it.
      fc.pre(name !== "." && name !== "..");
      expect(parseNbdUri(uri)).toEqual({ address: { path }, exportName: name, tls: false });
      expect(formatNbdUri({ address: { path }, exportName: name, tls: false })).toBe(uri);
    }),
  );
});

test.each([
  [{ address: { host: "127.0.0.1", port: 10809 }, exportName: "0", tls: false }, "nbd://127.0.0.1:10809/0"],
  [{ address: { host: "::1", port: 4000 }, exportName: "a b", tls: true }, "nbds://[::1]:4000/a%20b"],
])("the URI of %j is %s, and says the same", (parts, uri) => {
  expect(formatNbdUri(parts)).toBe(uri);
  expect(parseNbdUri(uri)).toEqual(parts);
});

test.each(["http://example.org/disk", "nbd+unix:///disk", "nbd:///disk", "nbd://host/%ff", "disk"])(
  "%s is refused with a hint",
  (uri) => {
    expect(() => parseNbdUri(uri)).toThrow(expect.objectContaining({ code: "E_USAGE", hint: expect.any(String) }));
  },
);
