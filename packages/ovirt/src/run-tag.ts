/** What everything a run makes on the engine carries in its description, so that it is known as ours later. */
export function runTag(runId: string): string {
  return `ovault run ${runId}`;
}

/** True when a description carries the tag, alone or within other text. */
export function hasTag(description: string | undefined, tag: string): boolean {
  return description?.includes(tag) ?? false;
}
