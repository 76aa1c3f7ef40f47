/** The engine's limit for descriptions of virtual machines and disks, in characters. */
const MAX_DESCRIPTION = 255;
const ANY_TAG = /\s*\(?ovault run [0-9a-f-]{36}\)?/g;

/** The tag in the description of everything that a run makes on the engine, which identifies it later. */
export function runTag(runId: string): string {
  return `ovault run ${runId}`;
}

/** True when a description contains the tag. */
export function hasTag(description: string | undefined, tag: string): boolean {
  return description?.includes(tag) ?? false;
}

/** True when any run of ovault made it. */
export function hasAnyTag(description: string | undefined): boolean {
  return description !== undefined && description.search(ANY_TAG) >= 0;
}

/** Id of the run that a description names first. */
export function taggedRun(description: string | undefined): string | undefined {
  return /ovault run ([0-9a-f-]{36})/.exec(description ?? "")?.[1];
}

/** A description with the tag in place of those of earlier runs, cut to the engine's limit. */
export function withTag(description: string | undefined, tag: string): string {
  const rest = withoutTags(description);
  return rest === "" ? tag : `${cut(rest, MAX_DESCRIPTION - tag.length - 3)} (${tag})`;
}

/** A description without the tags of runs; empty if nothing else is left. */
export function withoutTags(description: string | undefined): string {
  return (description ?? "").replaceAll(ANY_TAG, "").trim();
}

/** At most this many UTF-16 units, as engines count, without half a surrogate pair at the end. */
function cut(text: string, units: number): string {
  return text.slice(0, units).replace(/[\uD800-\uDBFF]$/, "");
}
