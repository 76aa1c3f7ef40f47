export type { ByteSource } from "./byte-source.ts";
export { ImageCorruptError, ImageUnsupportedError } from "./errors.ts";
export { FileByteSource } from "./file-byte-source.ts";
export { ImageChain } from "./image-chain.ts";
export type { RawLayer } from "./image-chain.ts";
export { openBacking } from "./open-backing.ts";
export type { BackingReference } from "./qcow2-header.ts";
export { Qcow2Layer } from "./qcow2-layer.ts";
export type { LayerKind, LayerPiece } from "./qcow2-layer.ts";
