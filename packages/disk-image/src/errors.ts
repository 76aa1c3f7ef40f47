import { OvaultError, systemErrorCode, UsageError, type ErrorCode } from "@ovault/contract";

/** An image file could not be read or written. */
export class ImageFileError extends OvaultError {
  static override readonly code: ErrorCode = "E_IMAGE_FILE";
}

/** No space or quota left for an image file. */
export class ImageFileFullError extends ImageFileError {
  static override readonly code: ErrorCode = "E_IMAGE_FILE_FULL";
}

/** The path of a new image file is taken. The existing file is left as it is. */
export class ImageFileExistsError extends UsageError {
  static override readonly code: ErrorCode = "E_IMAGE_FILE_EXISTS";
}

/** The error for a failed system call on the file. Returns other errors unchanged. */
export function imageFileError(error: unknown, path: string): unknown {
  const code = systemErrorCode(error);
  if (code === undefined) return error;
  const options = { cause: error, context: { path, errno: code } };
  switch (code) {
    case "ENOSPC":
    case "EDQUOT":
      return new ImageFileFullError(`no space left for ${path}`, {
        ...options,
        hint: "Free some space, or choose a path on a larger file system.",
      });
    case "EFBIG":
      return new ImageFileError(`the file system cannot hold a file as large as ${path} must become`, options);
    case "ENOENT":
      return new ImageFileError(`${path} or its directory does not exist`, {
        ...options,
        hint: "Make the directory, or choose another path.",
      });
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return new ImageFileError(`no permission for ${path}`, {
        ...options,
        hint: "Let the user that runs ovault write there, or choose another path.",
      });
    default:
      return new ImageFileError(`${path} failed: ${code}`, options);
  }
}
