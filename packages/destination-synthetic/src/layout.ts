import { join } from "node:path";

/** Manifests and leases, as the filesystem destination keeps objects. */
export function objectsDirectory(root: string): string {
  return join(root, "objects");
}

export function imagesDirectory(root: string): string {
  return join(root, "images");
}

/** Images that are being written, and those that are being removed. On the same file system as the images. */
export function draftsDirectory(root: string): string {
  return join(root, "drafts");
}

/** What a directory's name ends in when it is an image. In no key, so that an image can stand beside a folder. */
export const IMAGE_SUFFIX = "~";

/** The disk itself, byte for byte: any tool that reads raw images reads it. */
export const DISK_FILE = "disk.raw";

/** See `BlockSums`. */
export const SUMS_FILE = "checksums";
