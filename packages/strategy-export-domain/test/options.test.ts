import { describe, expect, test } from "vitest";

import { exportsLine, optionsSchema, resolveStaging, stagingPlaceOf, stagingPlaces } from "../src/index.ts";

const GIB = 1024 ** 3;

/** The places that ovault.yaml in /etc/ovault names. */
function places(written: unknown) {
  return stagingPlaces(resolveStaging(optionsSchema.parse(written), "/etc/ovault"));
}

test("one folder is that of every data center, and without a folder there is none", () => {
  expect(places({})).toEqual([]);
  expect(places({ staging: "staging" })).toEqual([
    { dataCenter: undefined, folder: "/etc/ovault/staging", exportDomain: undefined },
  ]);
  const options = resolveStaging(optionsSchema.parse({ staging: "/srv", exportDomain: "exp" }), "/etc");
  expect(stagingPlaceOf(options, "any")).toMatchObject({ folder: "/srv", exportDomain: "exp" });
});

test("each data center has a folder of its own, below staging or elsewhere", () => {
  const written = { staging: "/srv", dataCenters: { dc01: {}, dc02: { exportDomain: "exp02", folder: "two" } } };
  expect(places(written)).toEqual([
    { dataCenter: "dc01", folder: "/srv/dc01", exportDomain: undefined },
    { dataCenter: "dc02", folder: "/etc/ovault/two", exportDomain: "exp02" },
  ]);
  expect(stagingPlaceOf(resolveStaging(optionsSchema.parse(written), "/"), "dc03")).toBeUndefined();
});

test.each([
  [{ dataCenters: { dc01: {} } }, "is needed where there is no staging"],
  [{ staging: "/srv", dataCenters: { "..": {} } }, "is needed: no folder can have the data center's name"],
  [{ staging: "/srv", dataCenters: { "a/b": {} } }, "is needed: no folder can have the data center's name"],
  [{ staging: "/srv", exportDomain: "exp", dataCenters: { a: {} } }, "name it in each of dataCenters instead"],
  [{ stagingLimit: "much" }, "bytes, as a number, or text like 200 GiB"],
  [{ stagingLimit: 0 }, "bytes, as a number, or text like 200 GiB"],
  [{ concurrent: 0 }, "Too small"],
  [{ stagging: "/srv" }, "Unrecognized key"],
])("%j is refused", (written, message) => {
  expect(() => optionsSchema.parse(written)).toThrow(message);
});

test("a limit is written as people write sizes", () => {
  expect(optionsSchema.parse({ stagingLimit: "200 GiB" }).stagingLimit).toBe(200 * GIB);
  expect(optionsSchema.parse({ stagingLimit: 4096 }).stagingLimit).toBe(4096);
});

describe("the line for the kernel's NFS server", () => {
  const folder = "/srv/ovault/staging";

  test("maps every host to one user", () => {
    const owner = { uid: 993, gid: 990 };
    expect(exportsLine({ folder, clients: ["10.50.1.101"], fsid: 6, owner })).toBe(
      "/srv/ovault/staging 10.50.1.101(fsid=6,rw,sync,insecure,all_squash,anonuid=993,anongid=990)",
    );
  });

  test("quotes a folder with blanks, so that it stays one word", () => {
    const line = exportsLine({ folder: '/srv/my "staging"', clients: ["a", "b"], owner: { uid: 36, gid: 36 } });
    expect(line).toBe(
      '"/srv/my \\042staging\\042" a(rw,sync,insecure,all_squash,anonuid=36,anongid=36) b(rw,sync,insecure,all_squash,anonuid=36,anongid=36)',
    );
  });
});
