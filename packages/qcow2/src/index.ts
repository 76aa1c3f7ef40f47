export type { ByteSource } from "./byte-source.ts";
export { ImageCorruptError, ImageUnsupportedError } from "./errors.ts";
export { FileByteSource } from "./file-byte-source.ts";
export { ImageChain, type RawLayer } from "./image-chain.ts";
export { openBacking } from "./open-backing.ts";
export type { BackingReference } from "./qcow2-header.ts";
export { Qcow2Layer, type LayerKind, type LayerPiece } from "./qcow2-layer.ts";
