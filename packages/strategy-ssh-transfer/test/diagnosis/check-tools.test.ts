import { expect, test } from "vitest";

import { lossesOf } from "../../src/diagnosis/check-tools.ts";

test.each([
  ["qemu-nbd version 1.5.3", 1],
  ["qemu-nbd 2.11.2(Debian 1:2.11+dfsg-1)", 1],
  ["qemu-nbd 2.12.0 (qemu-kvm-ev-2.12.0-44.1.el7_8.1)", 0],
  ["qemu-nbd 4.2.0 (qemu-kvm-4.2.0-59.module+el8)", 0],
  ["qemu-nbd 10.0.0 (qemu-kvm-10.0.0-1.el9)", 0],
  ["something else", 0],
])("%s loses %d abilities", (version, losses) => {
  expect(lossesOf(version)).toHaveLength(losses);
});
