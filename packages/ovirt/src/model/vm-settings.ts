import { element } from "../engine/build-xml.ts";
import { renderElement } from "../engine/render-element.ts";
import { XmlElement } from "../engine/xml-element.ts";

/**
 * Elements of a `<vm>` that a person can set, in the form of an update, with their names for people. Excludes the name,
 * what a restore decides itself (cluster, template, description, delete protection), and what only the OVF holds.
 */
const SETTINGS: ReadonlyMap<string, string> = new Map([
  ["bios", "BIOS"],
  ["comment", "comment"],
  ["console", "serial console"],
  ["cpu", "processor"],
  ["cpu_pinning_policy", "processor pinning policy"],
  ["cpu_profile", "CPU profile"],
  ["cpu_shares", "CPU shares"],
  ["custom_compatibility_version", "compatibility version"],
  ["custom_cpu_model", "CPU model"],
  ["custom_emulated_machine", "emulated machine"],
  ["custom_properties", "custom properties"],
  ["display", "display"],
  ["high_availability", "high availability"],
  ["io", "I/O threads"],
  ["lease", "lease"],
  ["memory", "memory"],
  ["memory_policy", "memory policy"],
  ["migration", "migration settings"],
  ["migration_downtime", "migration downtime"],
  ["multi_queues_enabled", "multiple queues"],
  ["numa_tune_mode", "NUMA tuning"],
  ["os", "operating system and boot order"],
  ["placement_policy", "placement policy"],
  ["quota", "quota"],
  ["rng_device", "random number generator"],
  ["serial_number", "serial number policy"],
  ["soundcard_enabled", "sound card"],
  ["sso", "single sign-on"],
  ["start_paused", "start in pause mode"],
  ["stateless", "statelessness"],
  ["storage_error_resume_behaviour", "behaviour after storage errors"],
  ["time_zone", "time zone"],
  ["tpm_enabled", "TPM"],
  ["tunnel_migration", "migration tunnel"],
  ["type", "optimization"],
  ["usb", "USB"],
  ["virtio_scsi", "VirtIO-SCSI"],
  ["virtio_scsi_multi_queues", "VirtIO-SCSI queues"],
  ["virtio_scsi_multi_queues_enabled", "VirtIO-SCSI multiple queues"],
]);

/** Parts that depend on a run, a host or the cluster. */
const STATE: ReadonlyMap<string, readonly string[]> = new Map([
  ["cpu", ["architecture"]],
  ["display", ["address", "certificate", "port", "proxy", "secure_port", "single_qxl_pci"]],
]);

/** Parts that show how a running machine was started once. */
const ONCE: ReadonlyMap<string, readonly string[]> = new Map([
  ["display", ["type"]],
  ["os", ["boot", "cmdline", "initrd", "kernel"]],
]);

/** The settings stored with a recovery point: a `<vm>` with nothing else. */
export function settingsOf(vm: XmlElement): string {
  return element("vm", {}, settingElements(vm).map(renderElement)).xml;
}

/** A setting that differs from the point's. */
export interface SettingDifference {
  /** For people. */
  readonly title: string;
  /** The original element, for an update. */
  readonly wanted: XmlElement;
  /** The differing values, for people. */
  readonly was: string;
  readonly is: string;
}

/** Settings of `before` that differ in `after`. Settings that `before` lacks may have any value. */
export function differingSettings(before: XmlElement, after: XmlElement): readonly SettingDifference[] {
  const now = settingElements(after);
  return settingElements(before).flatMap((wanted) => {
    const was = valuesOf(wanted);
    const is = valuesOf(now.find(({ name }) => name === wanted.name));
    const differing = [...was].filter(([path, values]) => values !== is.get(path));
    if (differing.length === 0) return [];
    const title = SETTINGS.get(wanted.name) ?? wanted.name;
    const shown = (values: ReadonlyMap<string, string>): string =>
      differing.map(([path]) => [path, values.get(path) ?? "not set"].join(" ").trim()).join(", ");
    return [{ title, wanted, was: shown(was), is: shown(is) }];
  });
}

function settingElements(vm: XmlElement): readonly XmlElement[] {
  const once = vm.bool("run_once") ?? false;
  return vm.children
    .filter(({ name }) => SETTINGS.has(name))
    .map((setting) => {
      const state = [...(STATE.get(setting.name) ?? []), ...((once && ONCE.get(setting.name)) || [])];
      if (state.length === 0) return setting;
      const children = setting.children.filter(({ name }) => !state.includes(name));
      return new XmlElement({ ...partsOf(setting), children });
    });
}

function partsOf({
  name,
  attributes,
  children,
  text,
  source,
}: XmlElement): ConstructorParameters<typeof XmlElement>[0] {
  return { name, attributes, children, text, source };
}

/** By path of element names, the values below an element in their order; includes ids, excludes links. */
function valuesOf(setting: XmlElement | undefined): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  const add = (part: XmlElement, path: readonly string[]): void => {
    const value = part.attributes.get("id") ?? (part.children.length === 0 ? part.text.trim() : "");
    const key = path.join(" ");
    if (value !== "") values.set(key, values.has(key) ? `${values.get(key)} ${value}` : value);
    for (const child of part.children) add(child, [...path, child.name]);
  };
  if (setting !== undefined) add(setting, []);
  return values;
}
