import {
  ConfigurationError,
  type ImageStore,
  type ObjectKey,
  type ObjectStore,
  StoreReadOnlyError,
} from "@ovault/contract";
import type { DestinationEntry } from "@ovault/core";

/** Settings about what a repository does with data on its way to the store. */
const OF_REPOSITORIES = ["encryption", "compression", "lockDays", "limits"] as const;

/**
 * Wraps an image store as the settings of its destination require; `wrapObjects` wraps the objects beside the images.
 * @throws ConfigurationError for a setting that whole images cannot have
 */
export function wrapImages(
  driver: ImageStore,
  entry: DestinationEntry,
  wrapObjects: (objects: ObjectStore) => ObjectStore,
): ImageStore {
  assertSettingsOfImages(entry);
  const reading = {
    capabilities: driver.capabilities,
    objects: wrapObjects(driver.objects),
    open: driver.open.bind(driver),
    list: driver.list.bind(driver),
    ...(driver.usage && { usage: driver.usage.bind(driver) }),
    close: driver.close.bind(driver),
  };
  if (entry.settings.readOnly !== true) {
    return { ...reading, create: driver.create.bind(driver), delete: driver.delete.bind(driver) };
  }
  const refuse = async (what: string, key: ObjectKey): Promise<never> => {
    throw new StoreReadOnlyError(`image ${key} cannot be ${what}: the destination is set to be read-only`, {
      context: { key },
      hint: `Take destinations.${entry.name}.readOnly in ${entry.origin.file} away, or use another destination.`,
    });
  };
  return { ...reading, create: (key) => refuse("made", key), delete: (key) => refuse("deleted", key) };
}

/** @throws ConfigurationError for a setting that whole images cannot have */
export function assertSettingsOfImages({ name, type, settings, origin }: DestinationEntry): void {
  const unfit = OF_REPOSITORIES.find((setting) => settings[setting] !== undefined);
  if (unfit === undefined) return;
  throw new ConfigurationError(
    `destination ${name} cannot have \`${unfit}\`: type ${type} holds whole images as they are`,
    {
      context: { file: origin.file, destination: name, setting: unfit },
      hint: `Take destinations.${name}.${unfit} away, or use a destination that holds a repository, such as type filesystem.`,
    },
  );
}
