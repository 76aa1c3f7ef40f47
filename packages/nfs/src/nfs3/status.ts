import { systemErrorCode } from "@ovault/contract";

/** `nfsstat3` of RFC 1813, section 2.6. */
const STATUS = {
  notPermitted: 1,
  notFound: 2,
  io: 5,
  access: 13,
  exists: 17,
  crossDevice: 18,
  notDirectory: 20,
  isDirectory: 21,
  invalid: 22,
  tooBig: 27,
  noSpace: 28,
  readOnly: 30,
  tooManyLinks: 31,
  nameTooLong: 63,
  notEmpty: 66,
  quota: 69,
  stale: 70,
  badHandle: 10_001,
  notSynchronized: 10_002,
  notSupported: 10_004,
  tooSmall: 10_005,
  serverFault: 10_006,
  later: 10_008,
} as const;

export type NfsStatus = keyof typeof STATUS;
export const OK = 0;

const BY_SYSTEM_CODE: ReadonlyMap<string, NfsStatus> = new Map<string, NfsStatus>([
  ["EPERM", "notPermitted"],
  ["ENOENT", "notFound"],
  ["EACCES", "access"],
  // Written although this process may only read it.
  ["EBADF", "access"],
  ["EEXIST", "exists"],
  ["EXDEV", "crossDevice"],
  ["ENOTDIR", "notDirectory"],
  ["ELOOP", "notDirectory"],
  ["EISDIR", "isDirectory"],
  ["EINVAL", "invalid"],
  ["EFBIG", "tooBig"],
  ["ENOSPC", "noSpace"],
  ["EROFS", "readOnly"],
  ["EMLINK", "tooManyLinks"],
  ["ENAMETOOLONG", "nameTooLong"],
  ["ENOTEMPTY", "notEmpty"],
  ["EDQUOT", "quota"],
  ["ENOTSUP", "notSupported"],
  ["EOPNOTSUPP", "notSupported"],
  ["ESTALE", "stale"],
]);

/** A call that fails with a status of the protocol. */
export class NfsStatusError extends Error {
  readonly status: NfsStatus;

  constructor(status: NfsStatus, options?: ErrorOptions) {
    super(`NFS: ${status}`, options);
    this.name = "NfsStatusError";
    this.status = status;
  }
}

/** `later` for an error that no status stands for: the client tries again. */
export function statusOf(error: unknown): NfsStatus {
  if (error instanceof NfsStatusError) return error.status;
  return BY_SYSTEM_CODE.get(systemErrorCode(error) ?? "") ?? "later";
}

/** The name of a number; undefined for one that is none of NFSv3. */
export function statusOfNumber(number: number): NfsStatus | undefined {
  return (Object.keys(STATUS) as NfsStatus[]).find((status) => STATUS[status] === number);
}

export function statusNumber(status: NfsStatus): number {
  return STATUS[status];
}
