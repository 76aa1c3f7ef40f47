import type { EngineApi } from "../../api/engine-api.ts";
import { parseXml } from "../../engine/parse-xml.ts";
import type { XmlElement } from "../../engine/xml-element.ts";
import { renderElement } from "../../engine/render-element.ts";
import { differingSettings, type SettingDifference } from "../../model/vm-settings.ts";
import { refusalOf } from "../../engine/refusal-of.ts";

export interface WantedSettings {
  readonly vmId: string;
  /** A `<vm>` with the point's settings; undefined: the point has none. */
  readonly saved: XmlElement | undefined;
  /** Elements that always differ. */
  readonly ignored: ReadonlySet<string>;
}

/**
 * Compares the settings of a restored machine with the point's, and reapplies what the engine lost with the OVF, or
 * changed. The machine must be down.
 *
 * @returns what differs from the point, for people
 */
export async function restoreSettings(
  api: EngineApi,
  { vmId, saved, ignored }: WantedSettings,
  signal: AbortSignal,
): Promise<readonly string[]> {
  if (saved === undefined) return [];
  const differing = async (): Promise<readonly SettingDifference[]> => {
    const { settings } = await api.vms.get(vmId, { allContent: true }, signal);
    const all = settings === undefined ? [] : differingSettings(saved, parseXml(settings));
    return all.filter(({ wanted: { name } }) => !ignored.has(name));
  };
  const lost = await differing();
  if (lost.length === 0) return [];
  const refusals = new Map<string, string>();
  for (const { title, wanted: setting } of lost) {
    const refusal = await refusalOf(api.vms.update(vmId, { settings: [renderElement(setting)] }, signal));
    if (refusal !== undefined) refusals.set(title, refusal);
  }
  return (await differing()).map(({ title, was, is }) => {
    const reason = refusals.get(title);
    return `${title} of the new machine is "${is}" and was "${was}"${reason === undefined ? "" : `: ${reason}`}`;
  });
}
