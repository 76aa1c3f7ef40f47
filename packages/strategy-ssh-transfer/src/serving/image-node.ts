/** A layer of a disk, as a file or device of the host. */
export interface Layer {
  readonly path: string;
  readonly format: "raw" | "cow";
  /** A block device. */
  readonly onBlock: boolean;
}

export interface ServedImage {
  /** The newest first. What the lowest of them leaves out reads as a hole of zeros. */
  readonly layers: readonly Layer[];
  readonly access: "read" | "write";
}

/**
 * The image for QEMU, as a file name. Names each layer itself: what the headers refer to, and what the first bytes of a
 * raw layer look like, decides nothing.
 */
export function imageName({ layers, access }: ServedImage): string {
  // A running machine has the layers locked for its own writes.
  const sharing = access === "read" ? { "force-share": true } : {};
  return `json:${JSON.stringify({ ...imageNode(layers), ...sharing })}`;
}

function imageNode([top, ...below]: readonly Layer[]): object | null {
  if (top === undefined) return null;
  const { path: filename, format, onBlock } = top;
  const file = { driver: onBlock ? "host_device" : "file", filename };
  return format === "raw" ? { driver: "raw", file } : { driver: "qcow2", file, backing: imageNode(below) };
}
