import { describe, expect, test } from "vitest";

import { RateMeter } from "../src/output/rate-meter.ts";
import { formatProgress, TransferProgress } from "../src/output/transfer-progress.ts";

const MIB = 1024 * 1024;

describe("the rate meter", () => {
  test("knows nothing before two moments", () => {
    const meter = new RateMeter();
    expect(meter.perSecond).toBe(0);
    meter.sample(0, 5);
    expect(meter.perSecond).toBe(0);
  });

  test("forgets what is longer ago than its window", () => {
    const meter = new RateMeter(2_000);
    meter.sample(0, 0);
    for (let at = 1_000; at <= 10_000; at += 1_000) meter.sample(at, at < 5_000 ? 0 : (at - 5_000) * 7);
    expect(meter.perSecond).toBe(7_000);
  });
});

test("progress sums all disks and estimates the time left", () => {
  let now = 0;
  const progress = new TransferProgress("web01", 100 * MIB, () => now);
  const event = { logicalBytes: 50 * MIB, storedBytes: 0 };
  progress.add({ ...event, diskId: "a", doneBytes: 0, readBytes: 0 });
  now = 1_000;
  progress.add({ ...event, diskId: "a", doneBytes: 20 * MIB, readBytes: 10 * MIB });
  now = 2_000;
  progress.add({ ...event, diskId: "b", doneBytes: 20 * MIB, readBytes: 10 * MIB });
  expect(formatProgress(progress.line)).toBe("web01   40 %  40 MiB of 100 MiB  10 MiB/s  0:03 left");
});

test("a run counts against all disks that it announced", () => {
  const progress = new TransferProgress("web01");
  progress.add({ diskId: "a", doneBytes: 5, logicalBytes: 10, readBytes: 5, storedBytes: 5 });
  expect(progress.line).toMatchObject({ doneBytes: 5, totalBytes: 10 });
  progress.announce(40);
  expect(progress.line).toMatchObject({ doneBytes: 5, totalBytes: 40 });
});
