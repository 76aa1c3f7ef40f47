import { OvaultError } from "@ovault/core";

/** An image contradicts its own format: damaged, cut short, or made to deceive. */
export class ImageCorruptError extends OvaultError {
  override readonly code: string = "E_IMAGE_CORRUPT";
}

/** An image uses a feature that this reader does not serve. */
export class ImageUnsupportedError extends OvaultError {
  override readonly code: string = "E_IMAGE_UNSUPPORTED";
}
