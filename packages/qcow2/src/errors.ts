import { SourceError, type ErrorCode } from "@ovault/contract";

/** An image violates its own format: damaged, cut short, or malicious. */
export class ImageCorruptError extends SourceError {
  static override readonly code: ErrorCode = "E_IMAGE_CORRUPT";
}

/** An image uses a feature that this reader does not support. */
export class ImageUnsupportedError extends SourceError {
  static override readonly code: ErrorCode = "E_IMAGE_UNSUPPORTED";
}
