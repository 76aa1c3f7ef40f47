import { z } from "zod";

/** The file system behind a path, as statvfs(3) describes it. */
export interface RemoteFileSystem {
  /** Differs when another file system is mounted. */
  readonly id: number;
  readonly readOnly: boolean;
  /** Bytes that an ordinary user may still write. */
  readonly freeBytes: number;
  /** No inodes left. */
  readonly withoutFiles: boolean;
}

const READ_ONLY = 1;

/** The answer with the names that ssh2 gives its fields. */
const answer = z.object({
  f_sid: z.number(),
  f_flag: z.number(),
  f_frsize: z.number(),
  f_bavail: z.number(),
  /** 0 where files are not counted. */
  f_files: z.number(),
  f_favail: z.number(),
});

/** `undefined` for an invalid answer. */
export function remoteFileSystem(told: unknown): RemoteFileSystem | undefined {
  const { data } = answer.safeParse(told);
  if (data === undefined) return undefined;
  return {
    id: data.f_sid,
    readOnly: (data.f_flag & READ_ONLY) !== 0,
    freeBytes: data.f_bavail * data.f_frsize,
    withoutFiles: data.f_files > 0 && data.f_favail === 0,
  };
}
