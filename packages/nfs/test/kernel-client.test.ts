import { createHash, randomBytes } from "node:crypto";
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { canStartGuests, LinuxGuest } from "@ovault/test-support/linux-guest/linux-guest";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { ServedByProcess } from "./support/served-by-process.ts";

const MINUTES = 60_000;
const hasGuests = await canStartGuests();

describe.skipIf(!hasGuests)("a kernel that mounts as vdsm does", { timeout: 2 * MINUTES }, () => {
  let guest: LinuxGuest;
  let served: ServedByProcess;

  beforeAll(async () => {
    [guest, served] = await Promise.all([LinuxGuest.start(), ServedByProcess.serve()]);
    await guest.run("mkdir -p /mnt/share && modprobe nfs || true");
    // vdsm 4.5: `soft,nosharecache,timeo=100,retrans=3,nolock`; the engine lets an administrator add ports.
    const ports = `port=${served.port},mountport=${served.port},proto=tcp,mountproto=tcp`;
    const options = `soft,nosharecache,timeo=100,retrans=6,nolock,vers=3,${ports}`;
    await guest.run('mount -t nfs -o "$1" 10.0.2.2:/exports/web /mnt/share', [options]);
  }, 5 * MINUTES);

  afterAll(async () => {
    await guest?.run("umount -f -l /mnt/share").catch(() => undefined);
    await guest?.[Symbol.asyncDispose]();
    await served?.[Symbol.asyncDispose]();
  });

  /** As the user of vdsm. */
  function asVdsm(script: string): Promise<string> {
    return guest.run('setpriv --reuid 36 --regid 36 --clear-groups -- sh -ec "$1"', [script]);
  }

  /** Up to three times, with a pause before each. The server comes back at once. */
  async function killWhile(work: Promise<unknown>, pauseMs: number): Promise<void> {
    let isDone = false;
    work.then(
      () => (isDone = true),
      () => (isDone = true),
    );
    let kills = 0;
    for (; kills < 3; kills++) {
      await sleep(pauseMs);
      if (isDone) break;
      await served.kill();
      await served.start();
    }
    expect(kills).toBeGreaterThan(0);
  }

  test("reads what lies there, with the page cache and without it", async () => {
    const bytes = randomBytes(3 * 2 ** 20);
    await writeFile(join(served.directory, "disk"), bytes);
    const digest = createHash("sha256").update(bytes).digest("hex");
    expect(await asVdsm("sha256sum < /mnt/share/disk")).toContain(digest);
    expect(await asVdsm("dd if=/mnt/share/disk bs=1M iflag=direct status=none | sha256sum")).toContain(digest);
  });

  test("writes, grows, moves and removes files as on a disk of its own", async () => {
    const script = `
      cd /mnt/share
      mkdir -p image
      dd if=/dev/urandom of=image/volume bs=64k count=20 oflag=direct conv=fsync status=none
      dd if=/dev/urandom of=image/volume bs=4k seek=1000 count=3 conv=notrunc,fsync status=none
      truncate -s 8M image/volume
      mv image/volume image/other
      ln -s other image/link
      ln image/other image/second
      rm image/second
      test "$(readlink image/link)" = other
      ls image
      sha256sum < image/other`;
    const [listed = "", digest = ""] = (await asVdsm(script)).trim().split(/\n(?=[0-9a-f]{64})/);
    expect(listed.split("\n")).toEqual(["link", "other"]);
    const bytes = await readFile(join(served.directory, "image", "other"));
    expect(bytes.length).toBe(8 * 2 ** 20);
    expect(digest).toContain(createHash("sha256").update(bytes).digest("hex"));
    // The rest is a hole.
    expect((await stat(join(served.directory, "image", "other"))).blocks * 512).toBeLessThan(6 * 2 ** 20);
  });

  test("sees everything as vdsm's, and lists thousands of names", async () => {
    expect((await asVdsm("stat -c %u:%g /mnt/share")).trim()).toBe("36:36");
    await asVdsm("mkdir /mnt/share/many && cd /mnt/share/many && seq 2000 | xargs touch");
    expect((await asVdsm("ls /mnt/share/many | sort -n | uniq | wc -l")).trim()).toBe("2000");
    await asVdsm("rm -r /mnt/share/many");
    expect(await readdir(served.directory)).not.toContain("many");
  });

  test("keeps files that it has open while other names come and go", async () => {
    const script = `
      cd /mnt/share
      echo first > open
      exec 3< open
      mv open elsewhere
      echo second > open
      rm elsewhere
      cat <&3
      exec 3<&-
      cat open
      ln open twice
      rm open
      cat twice
      ! cat open 2> /dev/null`;
    expect(await asVdsm(script)).toBe("first\nsecond\nsecond\n");
    expect(await readdir(served.directory)).not.toContain("elsewhere");
  });

  test("waits for a store that is gone for a while", async () => {
    await writeFile(join(served.directory, "far"), "far away");
    await asVdsm("test -e /mnt/share/far");
    served.toggleStore();
    let isDone = false;
    const reading = asVdsm("cat /mnt/share/far").finally(() => (isDone = true));
    await sleep(4_000);
    expect(isDone).toBe(false);
    served.toggleStore();
    expect(await reading).toBe("far away");
  });

  test("makes files exclusively, once each, while the server is killed", async () => {
    const count = 60;
    const making = asVdsm(
      `mkdir /mnt/share/made; cd /mnt/share/made; set -C
      i=0; while [ $i -lt ${count} ]; do echo $i > $i; i=$((i + 1)); done`,
    );
    await killWhile(making, 200);
    await making;
    const names = await readdir(join(served.directory, "made"));
    expect(names.map(Number).toSorted((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, index) => index));
  });

  test("loses nothing that was acknowledged when the server is killed, and sees no error", async () => {
    const count = 150;
    const writing = asVdsm(
      `i=0; while [ $i -lt ${count} ]; do
        printf '%08d' $i | dd of=/mnt/share/journal bs=8 seek=$i oflag=dsync conv=notrunc status=none; i=$((i + 1))
      done`,
    );
    await killWhile(writing, 700);
    await writing;
    const journal = await readFile(join(served.directory, "journal"), "utf8");
    expect(journal).toBe(Array.from({ length: count }, (_, index) => String(index).padStart(8, "0")).join(""));
  });

  test("writes again what the server had not made durable when it was killed", async () => {
    const writing = asVdsm(
      "dd if=/dev/urandom of=/mnt/share/big bs=1M count=40 conv=fsync status=none && sha256sum < /mnt/share/big",
    );
    await sleep(500);
    await served.kill();
    await served.start();
    const digest = await writing;
    const bytes = await readFile(join(served.directory, "big"));
    expect(digest).toContain(createHash("sha256").update(bytes).digest("hex"));
  });
});
