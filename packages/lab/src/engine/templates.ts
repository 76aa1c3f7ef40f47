import type { EngineState, Named, TemplateState, VmState } from "./engine-state.ts";
import { BLANK_ID, blankTemplate } from "./inventory.ts";

/** The template that a machine was made from; `Blank` for a machine with volumes of its own alone. */
export function templateOf(state: EngineState, { templateId }: Pick<VmState, "templateId">): Named {
  return state.templates.find(({ id }) => id === templateId) ?? blankTemplate;
}

/** Whether a volume in the chain of a machine's disk belongs to the machine's template. */
export function isOfTemplate(state: EngineState, { templateId }: VmState, volumeId: string): boolean {
  const template = state.templates.find(({ id }) => id === templateId);
  return template?.volumeIds.includes(volumeId) ?? false;
}

/** @returns undefined for `Blank` and for a template that the engine does not have */
export function findTemplate(state: EngineState, id: string): TemplateState | undefined {
  return id === BLANK_ID ? undefined : state.templates.find((template) => template.id === id);
}
