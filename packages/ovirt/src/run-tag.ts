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
  const rest = (description ?? "").replaceAll(ANY_TAG, "").trim();
  return rest === "" ? tag : `${rest.slice(0, MAX_DESCRIPTION - tag.length - 3)} (${tag})`;
}
