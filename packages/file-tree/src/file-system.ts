/** The calls that a `FileTree` makes to its file system. Paths are absolute. Throws the file system's own errors. */
export interface FileSystem {
  /** Does not follow links. */
  kindOf(path: string): Promise<"directory" | "link" | "other">;
  /** With mode 0700; leaves an existing one as it is. */
  makeDirectory(path: string): Promise<void>;
  /** Makes the names in a directory durable, if the file system can. */
  syncDirectory(path: string): Promise<void>;
  /**
   * When a call finds nothing, the object may be missing, or the file system at the root was unmounted and left an
   * empty directory.
   * @throws DestinationMissingError when the root is not the directory that was opened
   */
  assertPresent(): Promise<void>;
}
