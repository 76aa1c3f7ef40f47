import type { ByteSource } from "./byte-source.ts";
import { ImageUnsupportedError } from "./errors.ts";
import type { RawLayer } from "./image-chain.ts";
import { QCOW2_MAGIC, type BackingReference } from "./qcow2-header.ts";
import { Qcow2Layer } from "./qcow2-layer.ts";

/**
 * Opens the layer below an image from its file. If the image does not name the format of its base, the first bytes of
 * the base decide, as in QEMU. @throws ImageCorruptError and ImageUnsupportedError.
 */
export async function openBacking(
  { format }: BackingReference,
  source: ByteSource,
  signal: AbortSignal,
): Promise<Qcow2Layer | RawLayer> {
  switch (format) {
    // QEMU's names for a raw format: `raw`, in a file, on a device.
    case "raw":
    case "file":
    case "host_device":
      return { raw: source };
    case "qcow2":
      return await Qcow2Layer.open(source, signal);
    case undefined:
      return (await beginsLikeQcow2(source, signal)) ? await Qcow2Layer.open(source, signal) : { raw: source };
    default:
      throw new ImageUnsupportedError(`the image lies on one of format ${format}, which is not supported`);
  }
}

async function beginsLikeQcow2(source: ByteSource, signal: AbortSignal): Promise<boolean> {
  const magic = Buffer.alloc(4);
  if (source.fileBytes < magic.length) return false;
  await source.readInto(0, magic, signal);
  return magic.readUInt32BE(0) === QCOW2_MAGIC;
}
