export { exportPath, PointShare } from "./instant/point-share.ts";
export { removeShare } from "./instant/remove-share.ts";
export {
  newFileSystemId,
  type SharedDiskDescription,
  type SharedPointDescription,
  type ShareDescription,
  shareDescriptionSchema,
} from "./instant/share-description.ts";
export { ShareDirectory } from "./instant/share-directory.ts";
