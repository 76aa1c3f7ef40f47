/** Status codes of SFTP. Servers speak version 3; some still use the finer codes of later versions. */
export const STATUS = {
  endOfFile: 1,
  noSuchFile: 2,
  permissionDenied: 3,
  failure: 4,
  unsupported: 8,
  noSuchPath: 10,
  writeProtected: 12,
  noSpace: 14,
  quotaExceeded: 15,
} as const;

/** The server answered a request with a status other than OK. */
export class SftpStatusError extends Error {
  override readonly name = "SftpStatusError";
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export function hasStatus(error: unknown, ...statuses: readonly number[]): error is SftpStatusError {
  return error instanceof SftpStatusError && statuses.includes(error.status);
}

/** Whether an error means that there is no file of this name. */
export function isAbsence(error: unknown): boolean {
  return hasStatus(error, STATUS.noSuchFile, STATUS.noSuchPath);
}
