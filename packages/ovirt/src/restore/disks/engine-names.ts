import { UsageError } from "@ovault/contract";

/** The engine's rule for names of virtual machines and aliases of disks, and its limit, in UTF-16 units. */
const NAME = /^[\p{L}0-9._-]+$/u;
const FOREIGN = /[^\p{L}0-9._-]+/gu;
const MAX_NAME = 255;

/** @throws UsageError when the engine does not allow this name for a virtual machine */
export function assertMachineName(name: string): void {
  if (NAME.test(name) && name.length <= MAX_NAME) return;
  const reason =
    name === ""
      ? "it is empty"
      : name.length > MAX_NAME
        ? `it has more than ${MAX_NAME} characters`
        : "the engine allows letters, digits, dots, hyphens and underscores alone";
  const suggestion = fittingName(name, "-").replaceAll(/^-+|-+$/g, "");
  throw new UsageError(
    `${JSON.stringify(name.slice(0, MAX_NAME))} cannot be the name of a virtual machine: ${reason}`,
    {
      hint: (field) =>
        `Choose another name with ${field("as")}${suggestion === "" ? "" : `, for example ${suggestion}`}.`,
    },
  );
}

/** The alias reduced to what the engine allows. Machines of old engines, and imported ones, may have others. */
export function fittingAlias(alias: string): string {
  return fittingName(alias, "_") || "disk";
}

function fittingName(name: string, filler: string): string {
  return name.replaceAll(FOREIGN, filler).slice(0, MAX_NAME);
}
