import { execFileSync } from "node:child_process";
import { chown, mkdir, readFile, rename, stat, symlink, truncate, writeFile } from "node:fs/promises";

import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { Directory } from "../src/directory.ts";
import { ExportDomain } from "../src/export-domain.ts";
import { FileDomain } from "../src/file-domain.ts";
import { NewImage } from "../src/new-image.ts";
import { openDisk } from "../src/open-disk.ts";
import { BASE, DOMAIN, IMAGE, MadeDomain, MIDDLE, TOP, volume } from "./support/made-domain.ts";

const { signal } = new AbortController();
const MIB = 1024 * 1024;
const MACHINE = "99999999-2222-3333-4444-555555555555";

let made: MadeDomain;
beforeEach(async () => {
  made = await MadeDomain.make({ as: "Backup", version: 0 });
});
afterEach(() => made[Symbol.asyncDispose]());

/** A disk of three layers: a raw base and two of QCOW2, each with a piece of its own. */
async function threeLayers(): Promise<void> {
  await made.qemu("qemu-img", "create", "-q", "-f", "raw", BASE, "1M");
  await made.qemu("qemu-io", "-f", "raw", "-c", "write -P 0x11 0 64k", "-c", "write -P 0x12 128k 64k", BASE);
  await made.qemu("qemu-img", "create", "-q", "-f", "qcow2", "-b", BASE, "-F", "raw", MIDDLE);
  await made.qemu("qemu-io", "-f", "qcow2", "-c", "write -P 0x22 128k 64k", MIDDLE);
  await made.qemu("qemu-img", "create", "-q", "-f", "qcow2", "-b", MIDDLE, "-F", "qcow2", TOP);
  await made.qemu("qemu-io", "-f", "qcow2", "-c", "write -P 0x33 256k 64k", TOP);
  await made.meta(BASE, { role: "internal" });
  await made.meta(MIDDLE, { role: "internal", format: "cow", parentId: BASE });
  await made.meta(TOP, { format: "cow", parentId: MIDDLE });
}

async function readDisk(volumeId?: string): Promise<Buffer> {
  await using domain = await FileDomain.open(made.root, DOMAIN);
  const disk = await openDisk(domain, { imageId: IMAGE, ...(volumeId !== undefined && { volumeId }) }, signal);
  try {
    const bytes = Buffer.alloc(disk.logicalBytes);
    await disk.readInto(0, bytes, signal);
    return bytes;
  } finally {
    await disk.close();
  }
}

describe("a disk", () => {
  test("reads as QEMU reads it, from any layer", async () => {
    await threeLayers();
    for (const id of [TOP, MIDDLE]) {
      await made.qemu("qemu-img", "convert", "-O", "raw", "-f", "qcow2", id, "expected.raw");
      expect((await readDisk(id)).equals(await readFile(made.path("images", IMAGE, "expected.raw")))).toBe(true);
    }
    expect((await readDisk()).equals(await readDisk(TOP))).toBe(true);
  });

  test("whose raw volume was cut is refused", async () => {
    await made.qemu("qemu-img", "create", "-q", "-f", "raw", BASE, "1M");
    await made.meta(BASE);
    await truncate(made.path("images", IMAGE, BASE), MIB - 512);
    await expect(readDisk()).rejects.toThrow(`volume ${BASE} ends at ${MIB - 512} instead of ${MIB}`);
  });

  test("whose raw file is longer than the disk reads as long as the disk", async () => {
    await made.qemu("qemu-img", "create", "-q", "-f", "raw", BASE, "2M");
    await made.meta(BASE);
    expect((await readDisk()).length).toBe(MIB);
  });

  test("whose header names another base than its metadata is refused", async () => {
    await threeLayers();
    await made.meta(TOP, { format: "cow", parentId: BASE });
    await expect(readDisk()).rejects.toThrow(`volume ${TOP} lies on another volume than its metadata say`);
  });

  test("whose layers go round in a circle is refused", async () => {
    await threeLayers();
    await made.meta(BASE, { role: "internal", parentId: TOP });
    await expect(readDisk()).rejects.toThrow(`volume ${TOP} of image ${IMAGE} lies on itself`);
  });

  test("that a template holds up is refused, with the reason", async () => {
    await made.qemu("qemu-img", "create", "-q", "-f", "qcow2", TOP, "1M");
    await made.meta(TOP, { format: "cow", parentId: BASE });
    await expect(readDisk()).rejects.toThrow(
      expect.objectContaining({
        message: `image ${IMAGE} has no volume ${BASE}`,
        hint: expect.stringMatching(/template/),
      }),
    );
  });

  test("of a failed merge is refused", async () => {
    await made.meta(BASE, { legality: "illegal" });
    await expect(readDisk()).rejects.toThrow(`volume ${BASE} of image ${IMAGE} is illegal`);
  });
});

describe("a hostile tree", () => {
  test("leads nowhere by links, in the place of any part", async () => {
    await threeLayers();
    const image = made.path("images", IMAGE);
    await writeFile(made.path("secret"), "secret");
    await rename(`${image}/${TOP}`, `${image}/away`);
    await symlink(made.path("secret"), `${image}/${TOP}`);
    await expect(readDisk()).rejects.toThrow(/is a link or no file/);
    await rename(image, made.path("moved"));
    await symlink(made.path("moved"), image);
    await expect(readDisk()).rejects.toThrow(/is a link or no directory/);
    await rename(made.path("images"), made.path("pictures"));
    await symlink(made.path("pictures"), made.path("images"));
    await expect(readDisk()).rejects.toThrow(/is a link or no directory/);
  });

  test("does not make a reader wait for a pipe", async () => {
    await made.meta(BASE);
    execFileSync("mkfifo", [made.path("images", IMAGE, BASE)]);
    await expect(readDisk()).rejects.toThrow(/is no file/);
  });

  test("with metadata without end is refused before it is read", async () => {
    await made.meta(BASE);
    await truncate(made.path("images", IMAGE, `${BASE}.meta`), 2 ** 33);
    await expect(readDisk()).rejects.toThrow(/has more than 65536 bytes/);
  });

  test("cannot be left by a name", async () => {
    await using directory = await Directory.open(made.root);
    for (const name of ["..", "", "a/b", "a\0b"]) await expect(directory.child(name)).rejects.toThrow(RangeError);
    await using domain = await FileDomain.open(made.root, DOMAIN);
    await expect(domain.volumes("../dom_md")).rejects.toThrow(/is no UUID/);
  });
});

describe("an export domain", () => {
  test("takes a machine, gives it back, and refuses it a second time", async () => {
    await using domain = await ExportDomain.open(made.root, DOMAIN);
    await domain.addMachine(MACHINE, "<ovf/>");
    expect(await domain.machineIds()).toEqual([MACHINE]);
    expect(await domain.readOvf(MACHINE)).toBe("<ovf/>");
    await expect(domain.addMachine(MACHINE, "<other/>")).rejects.toThrow(/exists already/);
    expect(await domain.readOvf(MACHINE)).toBe("<ovf/>");
    await domain.removeMachine(MACHINE);
    expect(await domain.machineIds()).toEqual([]);
    expect(await domain.readOvf(MACHINE)).toBeUndefined();
  });

  test("is not mistaken for a data domain, and the reverse", async () => {
    await using data = await MadeDomain.make();
    await expect(ExportDomain.open(data.root, DOMAIN)).rejects.toThrow(/is a data domain, not an export domain/);
    expect(await FileDomain.idsBelow(data.root)).toEqual([DOMAIN]);
  });

  test("that was never attached says so", async () => {
    await rename(made.path("master"), made.path("gone"));
    await expect(ExportDomain.open(made.root, DOMAIN)).rejects.toThrow(/has no master\/vms/);
  });
});

describe("a new image", () => {
  const { domainId: _domain, imageId: _image, parentId: _parent, role: _role, legality: _legality, ...rest } = volume();
  const wanted = { id: BASE, ...rest };

  test("is one that hosts can use, once it is complete", async () => {
    const isRoot = process.getuid?.() === 0;
    // As hosts write it: only root can give files away.
    if (isRoot) await chown(made.path("dom_md", "metadata"), 36, 36);
    await using domain = await FileDomain.open(made.root, DOMAIN);
    const image = await NewImage.create(domain, IMAGE, wanted);
    await image.file.write(Buffer.alloc(MIB, 0x5a));
    expect(await domain.volumes(IMAGE)).toEqual([]);
    await image.commit();
    expect(await domain.volumes(IMAGE)).toEqual([{ id: BASE, ...volume() }]);
    expect((await readDisk()).equals(Buffer.alloc(MIB, 0x5a))).toBe(true);
    const owner = isRoot ? { uid: 36, gid: 36 } : { uid: process.getuid?.(), gid: process.getgid?.() };
    const file = await stat(made.path("images", IMAGE, BASE));
    expect(file.mode & 0o777).toBe(0o660);
    expect((await stat(made.path("images", IMAGE))).mode & 0o777).toBe(0o755);
    expect((await stat(made.path("images", IMAGE, `${BASE}.meta`))).mode & 0o777).toBe(0o644);
    expect({ uid: file.uid, gid: file.gid }).toEqual(owner);
    expect((await stat(made.path("images", IMAGE, `${BASE}.lease`))).size).toBe(MIB);
  });

  test("does not touch one that is there, and leaves nothing when it is removed", async () => {
    await mkdir(made.path("images", IMAGE));
    await writeFile(made.path("images", IMAGE, "precious"), "data");
    await using domain = await FileDomain.open(made.root, DOMAIN);
    await expect(NewImage.create(domain, IMAGE, wanted)).rejects.toThrow(/exists already/);
    expect(await readFile(made.path("images", IMAGE, "precious"), "utf8")).toBe("data");
    const other = await NewImage.create(domain, MACHINE, wanted);
    await other.commit();
    await other.remove();
    expect(await domain.imageIds()).toEqual([IMAGE]);
  });
});
