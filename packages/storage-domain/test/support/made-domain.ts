import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import { metadataChecksum } from "../../src/domain-metadata.ts";
import { formatVolumeMetadata, type VolumeMetadata } from "../../src/volume-metadata.ts";

const run = promisify(execFile);

export const DOMAIN = "6f3b1a52-0c7e-4e0b-9a7d-2f8f1b0c9d11";
export const IMAGE = "11111111-2222-3333-4444-555555555555";
export const [BASE, MIDDLE, TOP] = [
  "aaaaaaaa-0000-0000-0000-000000000001",
  "aaaaaaaa-0000-0000-0000-000000000002",
  "aaaaaaaa-0000-0000-0000-000000000003",
] as const;

/** The volume of a `.meta`, with what a test changes. */
export function volume(changes: Partial<VolumeMetadata> = {}): VolumeMetadata {
  return {
    domainId: DOMAIN,
    imageId: IMAGE,
    parentId: undefined,
    capacityBytes: 1024 * 1024,
    format: "raw",
    sparse: true,
    role: "leaf",
    legality: "legal",
    diskType: "DATA",
    description: '{"DiskAlias":"web_Disk1","DiskDescription":""}',
    createdAt: new Date("2023-11-14T22:13:20Z"),
    ...changes,
  };
}

/** A domain's tree in a temporary directory, as hosts lay it out. */
export class MadeDomain implements AsyncDisposable {
  readonly root: string;
  readonly version: number;

  static async make({ version = 5, as = "Data" }: { version?: number; as?: string } = {}): Promise<MadeDomain> {
    const root = await mkdtemp(join(tmpdir(), "ovault-domain-"));
    const domain = join(root, DOMAIN);
    for (const part of ["dom_md", "images", "master/vms", "master/tasks"]) {
      await mkdir(join(domain, part), { recursive: true });
    }
    const values = new Map([
      ["CLASS", as],
      ["DESCRIPTION", "export"],
      ["POOL_UUID", ""],
      ["ROLE", "Regular"],
      ["SDUUID", DOMAIN],
      ["TYPE", "NFS"],
      ["VERSION", String(version)],
    ]);
    values.set("_SHA_CKSUM", metadataChecksum(values));
    const text = [...values].map(([key, value]) => `${key}=${value}\n`).join("");
    await writeFile(join(domain, "dom_md/metadata"), text);
    return new MadeDomain(root, version);
  }

  private constructor(root: string, version: number) {
    this.root = root;
    this.version = version;
  }

  path(...parts: readonly string[]): string {
    return join(this.root, DOMAIN, ...parts);
  }

  async meta(id: string, changes: Partial<VolumeMetadata> = {}): Promise<void> {
    await mkdir(this.path("images", IMAGE), { recursive: true });
    await writeFile(this.path("images", IMAGE, `${id}.meta`), formatVolumeMetadata(volume(changes), this.version));
  }

  /** Runs a tool of QEMU in the directory of the image. */
  async qemu(tool: "qemu-img" | "qemu-io", ...args: readonly string[]): Promise<void> {
    await mkdir(this.path("images", IMAGE), { recursive: true });
    await run(tool, args, { cwd: this.path("images", IMAGE) });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.root, { recursive: true, force: true });
  }
}
