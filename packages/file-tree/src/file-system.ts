/** What a `FileTree` asks of the file system that holds it. Paths are absolute. Throws in the file system's own words. */
export interface FileSystem {
  /** Of the name itself: a link is not followed. */
  kindOf(path: string): Promise<"directory" | "link" | "other">;
  /** With mode 0700; what is there already is left as it is. */
  makeDirectory(path: string): Promise<void>;
  /** Makes the names in a directory durable, where the file system can. */
  syncDirectory(path: string): Promise<void>;
  /**
   * Nothing found may mean that nothing is there, or that what holds the root was unmounted and left an empty directory.
   * @throws DestinationMissingError when the root is not the directory that was opened
   */
  assertPresent(): Promise<void>;
}
