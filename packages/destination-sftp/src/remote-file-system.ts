import { z } from "zod";

/** The file system behind a path, as statvfs(3) tells. */
export interface RemoteFileSystem {
  /** Another one is mounted when it differs. */
  readonly id: number;
  readonly readOnly: boolean;
  /** What an ordinary user may still write. */
  readonly freeBytes: number;
  /** Not one more file can be made. */
  readonly withoutFiles: boolean;
}

const READ_ONLY = 1;

/** The names are those of the answer that ssh2 hands over. */
const answer = z.object({
  f_sid: z.number(),
  f_flag: z.number(),
  f_frsize: z.number(),
  f_bavail: z.number(),
  /** 0 where files are not counted. */
  f_files: z.number(),
  f_favail: z.number(),
});

/** Undefined for an answer that is none. */
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
