/** The engine's limit for descriptions of virtual machines and disks, in characters. */
const MAX_DESCRIPTION = 255;
const ANY_TAG = /\s*\(?ovault run [0-9a-f-]{36}\)?/g;

/** What everything a run makes on the engine carries in its description, so that it is known as ours later. */
export function runTag(runId: string): string {
  return `ovault run ${runId}`;
}

/** True when a description carries the tag, alone or within other text. */
export function hasTag(description: string | undefined, tag: string): boolean {
  return description?.includes(tag) ?? false;
}

/** True when a run of ovault made it, whichever. */
export function hasAnyTag(description: string | undefined): boolean {
  return description !== undefined && description.search(ANY_TAG) >= 0;
}

/** Id of the run that a description names first. */
export function taggedRun(description: string | undefined): string | undefined {
  return /ovault run ([0-9a-f-]{36})/.exec(description ?? "")?.[1];
}

/** A description with the tag in place of those of earlier runs, short enough for the engine. */
export function withTag(description: string | undefined, tag: string): string {
  const rest = withoutTags(description);
  return rest === "" ? tag : `${cut(rest, MAX_DESCRIPTION - tag.length - 3)} (${tag})`;
}

/** A description as it was before any run of ovault touched it; empty where there was none. */
export function withoutTags(description: string | undefined): string {
  return (description ?? "").replaceAll(ANY_TAG, "").trim();
}

/** At most so many UTF-16 units, as engines count, and no half of a surrogate pair at the end. */
function cut(text: string, units: number): string {
  return text.slice(0, units).replace(/[\uD800-\uDBFF]$/, "");
}
