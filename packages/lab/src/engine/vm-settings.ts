import { badRequest } from "./engine-fault.ts";
import { API_PATH } from "./http/api-path.ts";
import type { XmlNode } from "./xml/read-xml.ts";
import { requireKept } from "./xml/require-kept.ts";
import { isXmlObject, type XmlObject, type XmlValue } from "./xml/xml-value.ts";

/** A scalar as the API writes it, or the items of a list. */
export type SettingValue = string | readonly string[];

/** Settings of a machine that differ from their defaults, by path. */
export type VmSettings = Readonly<Record<string, SettingValue>>;

interface Kind {
  readonly read: (body: XmlNode, path: readonly string[]) => SettingValue | undefined;
  readonly write: (value: SettingValue) => XmlValue;
}

/** Place of a setting in an OVF: an element of `Content`, and its value there if it differs. */
interface OvfPlace {
  readonly element: string;
  readonly encode?: (value: SettingValue) => string | undefined;
  readonly decode?: (text: string) => SettingValue | undefined;
}

interface VmSetting {
  readonly kind: Kind;
  /** Absent: an engine does not show the setting before it is set. */
  readonly initial?: SettingValue;
  readonly ovf?: OvfPlace;
  /** Shown only if the request asks for all content. */
  readonly expensive?: boolean;
}

const MIB = 1024 ** 2;
export const DEFAULT_MEMORY_BYTES = 1024 ** 3;

const text: Kind = { read: (body, path) => body.exactText(...path), write: (value) => value };
const flag: Kind = { read: (body, path) => body.flag(...path)?.toString(), write: (value) => value };
const integer: Kind = { read: (body, path) => body.integer(...path)?.toString(), write: (value) => value };

function choice(...words: readonly string[]): Kind {
  return { read: (body, path) => body.choice(words, ...path), write: (value) => value };
}

/** Memory in whole MiB, as the engine keeps it. */
const bytes: Kind = {
  read: (body, path) => {
    const count = body.integer(...path);
    return count === undefined ? undefined : String(Math.floor(count / MIB) * MIB);
  },
  write: (value) => value,
};

function listOf(item: string): Kind {
  return {
    read: (body, path) => body.children(...path, item).map((node) => node.text() ?? ""),
    write: (value) => ({ [item]: value }),
  };
}

/** Items that only have an id, such as the methods of single sign-on. */
function idsOf(item: string): Kind {
  return {
    read: (body, path) => body.children(...path, item).flatMap((node) => node.attribute("id") ?? []),
    write: (value) => ({ [item]: many(value).map((id) => ({ "@id": id })) }),
  };
}

function referencesTo(collection: string, item: string): Kind {
  const reference = (id: string): XmlObject => ({ "@href": `${API_PATH}/${collection}/${id}`, "@id": id });
  return { ...idsOf(item), write: (value) => ({ [item]: many(value).map(reference) }) };
}

const properties: Kind = {
  read: (body, path) =>
    body
      .children(...path, "custom_property")
      .map((property) => `${property.text("name") ?? ""}=${property.text("value") ?? ""}`),
  write: (value) => ({
    custom_property: many(value).map((pair) => {
      const [name = "", ...rest] = pair.split("=");
      return { name, value: rest.join("=") };
    }),
  }),
};

const version: Kind = {
  read: (body, path) => {
    const [major, minor] = [body.integer(...path, "major"), body.integer(...path, "minor")];
    return major === undefined || minor === undefined ? undefined : `${major}.${minor}`;
  },
  write: (value) => {
    const [major, minor] = String(value).split(".");
    return { major, minor };
  },
};

function ovf(element: string, words?: Readonly<Record<string, string>>): OvfPlace {
  if (words === undefined) return { element };
  const back = Object.fromEntries(Object.entries(words).map(([word, code]) => [code, word]));
  return { element, encode: (value) => words[String(value)], decode: (code) => back[code] };
}

function ovfMib(element: string): OvfPlace {
  return {
    element,
    encode: (value) => String(Number(value) / MIB),
    decode: (count) => String(Number(count) * MIB),
  };
}

function ovfList(element: string, separator: string): OvfPlace {
  return {
    element,
    encode: (value) => many(value).join(separator),
    decode: (joined) => (joined === "" ? undefined : joined.split(separator)),
  };
}

/** The engine's numbers for orders of boot devices. */
const bootSequences: Readonly<Record<string, string>> = {
  hd: "0",
  "hd,network": "11",
  "hd,cdrom": "9",
  "hd,cdrom,network": "3",
  "hd,network,cdrom": "4",
  cdrom: "10",
  "cdrom,hd": "1",
  "cdrom,network": "12",
  "cdrom,hd,network": "5",
  "cdrom,network,hd": "6",
  network: "2",
  "network,hd": "13",
  "network,cdrom": "14",
  "network,hd,cdrom": "7",
  "network,cdrom,hd": "8",
};
const bootOrder = ovf("default_boot_sequence", bootSequences);
const inherited = { true: "true", false: "false" };

/**
 * All settings of a machine besides its name, its cluster and its subcollections, by path from `<vm>` down. An OVF
 * carries those that have a place there; an export and import loses the rest, as in an engine.
 */
const vmSettings: Readonly<Record<string, VmSetting>> = {
  "bios.boot_menu.enabled": { kind: flag, initial: "false", ovf: ovf("IsBootMenuEnabled") },
  "bios.type": {
    kind: choice("i440fx_sea_bios", "q35_sea_bios", "q35_ovmf", "q35_secure_boot"),
    initial: "i440fx_sea_bios",
    // An engine keeps 1 to 4 and writes one less, as engines before 4.4 counted.
    ovf: ovf("BiosType", { i440fx_sea_bios: "0", q35_sea_bios: "1", q35_ovmf: "2", q35_secure_boot: "3" }),
  },
  comment: { kind: text, initial: "", ovf: ovf("Comment") },
  "console.enabled": { kind: flag, initial: "false", expensive: true },
  "cpu.mode": { kind: choice("custom", "host_passthrough"), ovf: ovf("UseHostCpu", { host_passthrough: "true" }) },
  "cpu.topology.cores": { kind: integer, initial: "1" },
  "cpu.topology.sockets": { kind: integer, initial: "1" },
  "cpu.topology.threads": { kind: integer, initial: "1" },
  cpu_pinning_policy: {
    kind: choice("none", "manual", "resize_and_pin_numa", "dedicated", "isolate_threads"),
    ovf: ovf("CpuPinningPolicy", { manual: "1", resize_and_pin_numa: "2", dedicated: "3", isolate_threads: "4" }),
  },
  cpu_shares: { kind: integer, initial: "0" },
  custom_compatibility_version: { kind: version, ovf: ovf("CustomCompatibilityVersion") },
  custom_cpu_model: { kind: text, ovf: ovf("CustomCpuName") },
  custom_emulated_machine: { kind: text, ovf: ovf("CustomEmulatedMachine") },
  custom_properties: { kind: properties, ovf: ovfList("UserDefinedProperties", ";") },
  delete_protected: { kind: flag, initial: "false", ovf: ovf("DeleteProtected") },
  description: { kind: text, initial: "", ovf: ovf("Description") },
  "display.allow_override": { kind: flag, initial: "true", ovf: ovf("AllowConsoleReconnect") },
  "display.copy_paste_enabled": { kind: flag, initial: "true", ovf: ovf("IsSpiceCopyPasteEnabled") },
  "display.disconnect_action": {
    kind: choice("NONE", "LOCK_SCREEN", "LOGOUT", "SHUTDOWN", "REBOOT"),
    initial: "LOCK_SCREEN",
    ovf: ovf("ConsoleDisconnectAction"),
  },
  "display.disconnect_action_delay": { kind: integer, ovf: ovf("ConsoleDisconnectActionDelay") },
  "display.file_transfer_enabled": { kind: flag, initial: "true", ovf: ovf("IsSpiceFileTransferEnabled") },
  "display.keyboard_layout": { kind: text, ovf: ovf("VncKeyboardLayout") },
  "display.monitors": { kind: integer, initial: "1" },
  "display.smartcard_enabled": { kind: flag, initial: "false", ovf: ovf("IsSmartcardEnabled") },
  "display.type": { kind: choice("spice", "vnc"), initial: "vnc" },
  "high_availability.enabled": { kind: flag, initial: "false", ovf: ovf("AutoStartup") },
  "high_availability.priority": { kind: integer, initial: "1", ovf: ovf("Priority") },
  "io.threads": { kind: integer, initial: "1", ovf: ovf("NumOfIoThreads") },
  lease: { kind: referencesTo("storagedomains", "storage_domain"), ovf: ovfList("LeaseDomainId", ",") },
  memory: { kind: bytes, initial: String(DEFAULT_MEMORY_BYTES) },
  "memory_policy.ballooning": { kind: flag, initial: "true", ovf: ovf("BalloonEnabled") },
  "memory_policy.guaranteed": { kind: bytes, ovf: ovfMib("MinAllocatedMem") },
  "memory_policy.max": { kind: bytes, ovf: ovfMib("MaxMemorySizeMb") },
  "migration.auto_converge": {
    kind: choice("true", "false", "inherit"),
    initial: "inherit",
    ovf: ovf("IsAutoConverge", inherited),
  },
  "migration.compressed": {
    kind: choice("true", "false", "inherit"),
    initial: "inherit",
    ovf: ovf("IsMigrateCompressed", inherited),
  },
  "migration.encrypted": {
    kind: choice("true", "false", "inherit"),
    initial: "inherit",
    ovf: ovf("IsMigrateEncrypted", inherited),
  },
  migration_downtime: { kind: integer, initial: "-1", ovf: ovf("MigrationDowntime") },
  multi_queues_enabled: { kind: flag, initial: "true", ovf: ovf("MultiQueuesEnabled") },
  numa_tune_mode: { kind: choice("interleave", "preferred", "strict"), initial: "interleave" },
  "os.boot.devices": {
    kind: listOf("device"),
    initial: ["hd"],
    ovf: {
      element: bootOrder.element,
      encode: (value) => bootOrder.encode?.(many(value).join(",")),
      decode: (code) => bootOrder.decode?.(code)?.toString().split(","),
    },
  },
  "os.cmdline": { kind: text, ovf: ovf("kernel_params") },
  "os.initrd": { kind: text, ovf: ovf("initrd_url") },
  "os.kernel": { kind: text, ovf: ovf("kernel_url") },
  "os.type": { kind: text, initial: "other_linux" },
  "placement_policy.affinity": {
    kind: choice("migratable", "user_migratable", "pinned"),
    initial: "migratable",
    ovf: ovf("MigrationSupport", { migratable: "0", user_migratable: "1", pinned: "2" }),
  },
  "placement_policy.hosts": { kind: referencesTo("hosts", "host"), ovf: ovfList("DedicatedVmForVds", ",") },
  "serial_number.policy": {
    kind: choice("none", "host", "vm", "custom"),
    ovf: ovf("SerialNumberPolicy", { host: "0", vm: "1", custom: "2" }),
  },
  "serial_number.value": { kind: text, ovf: ovf("CustomSerialNumber") },
  soundcard_enabled: { kind: flag, initial: "false", expensive: true },
  "sso.methods": { kind: idsOf("method"), initial: ["guest_agent"], ovf: ovfList("SsoMethod", ",") },
  start_paused: { kind: flag, initial: "false", ovf: ovf("IsRunAndPause") },
  stateless: { kind: flag, initial: "false", ovf: ovf("IsStateless") },
  storage_error_resume_behaviour: {
    kind: choice("auto_resume", "leave_paused", "kill"),
    initial: "auto_resume",
    ovf: ovf("ResumeBehavior", { auto_resume: "AUTO_RESUME", leave_paused: "LEAVE_PAUSED", kill: "KILL" }),
  },
  "time_zone.name": { kind: text, initial: "Etc/GMT", ovf: ovf("TimeZone") },
  tpm_enabled: { kind: flag, initial: "false", expensive: true },
  tunnel_migration: { kind: flag, ovf: ovf("TunnelMigration") },
  type: {
    kind: choice("desktop", "server", "high_performance"),
    initial: "server",
    ovf: ovf("VmType", { desktop: "0", server: "1", high_performance: "2" }),
  },
  "usb.enabled": { kind: flag, initial: "false" },
  "virtio_scsi.enabled": { kind: flag, initial: "true", expensive: true },
};

/** Elements that are read-only in an engine, or kept elsewhere; clients send them back unchanged. */
const UNSETTABLE = [
  "actions",
  "cluster",
  "cpu.architecture",
  "creation_time",
  "display.address",
  "display.certificate",
  "display.port",
  "display.secure_port",
  "display.single_qxl_pci",
  "fqdn",
  "guest_operating_system",
  "guest_time_zone",
  "has_illegal_images",
  "host",
  "initialization.regenerate_ssh_keys",
  "link",
  "name",
  "next_run_configuration_exists",
  "origin",
  "original_template",
  "run_once",
  "start_time",
  "status",
  "status_detail",
  "stop_reason",
  "stop_time",
  "template",
] as const;

/**
 * The settings in a request body.
 * @param further - paths that the caller reads itself
 * @throws EngineFault 400 for an invalid value, and for an element that the lab does not keep
 */
export function readSettings(body: XmlNode, further: readonly string[] = []): VmSettings {
  const settings: Record<string, SettingValue> = {};
  for (const [path, { kind }] of Object.entries(vmSettings)) {
    const elements = path.split(".");
    if (body.child(...elements) === undefined) continue;
    const value = kind.read(body, elements);
    if (value !== undefined) settings[path] = value;
  }
  requireKept(body, [...Object.keys(vmSettings), ...UNSETTABLE, ...further], "a VM");
  return settings;
}

/** The settings an OVF's `Content` element has. */
export function readOvfSettings(content: XmlNode): VmSettings {
  const settings: Record<string, SettingValue> = {};
  for (const [path, { ovf: place }] of Object.entries(vmSettings)) {
    const found = place === undefined ? undefined : content.text(place.element);
    if (place === undefined || found === undefined) continue;
    const value = place.decode === undefined ? found : place.decode(found);
    if (value !== undefined) settings[path] = value;
  }
  return settings;
}

/** Elements of an OVF's `Content`. */
export function ovfSettings(settings: VmSettings): XmlObject {
  const content: Record<string, XmlValue> = {};
  for (const [path, { ovf: place }] of Object.entries(vmSettings)) {
    const value = place === undefined ? undefined : valueOf(settings, path);
    if (place === undefined || value === undefined) continue;
    content[place.element] = place.encode === undefined ? value : place.encode(value);
  }
  return content;
}

/** Elements of `<vm>`; `all` includes those that are shown only with all content. */
export function settingsContent(settings: VmSettings, { all }: { readonly all: boolean }): XmlObject {
  const content: Record<string, XmlValue> = {};
  for (const [path, { kind, expensive = false }] of Object.entries(vmSettings)) {
    const value = expensive && !all ? undefined : valueOf(settings, path);
    if (value !== undefined) put(content, path.split("."), kind.write(value));
  }
  return content;
}

/** A setting with one value, by its path. */
export function setting(settings: VmSettings, path: string): string {
  return String(valueOf(settings, path) ?? "");
}

/** @throws EngineFault 400 for settings that contradict each other. */
export function requireConsistent(settings: VmSettings, action: string): void {
  const memory = Number(setting(settings, "memory"));
  if (Number(setting(settings, "memory_policy.guaranteed")) > memory) {
    throw badRequest(`Cannot ${action}. Physical Memory Guaranteed cannot exceed Memory Size.`);
  }
  if (Number(setting(settings, "memory_policy.max")) < memory) {
    throw badRequest(`Cannot ${action}. Max memory size must be equal or greater than memory size.`);
  }
  if (setting(settings, "serial_number.policy") === "custom" && setting(settings, "serial_number.value") === "") {
    throw badRequest(
      `Cannot ${action}. Custom serial number must be non-empty when "Custom" serial number policy is specified.`,
    );
  }
}

/** Recomputes the sizes that depend on the memory, if it changes and `changes` does not contain them. */
export function changedSettings(before: VmSettings, changes: VmSettings): VmSettings {
  const merged: Record<string, SettingValue> = { ...before, ...changes };
  if (changes["memory"] !== undefined) {
    for (const path of ["memory_policy.guaranteed", "memory_policy.max"]) {
      if (changes[path] === undefined) delete merged[path];
    }
  }
  if (merged["serial_number.policy"] === "none") delete merged["serial_number.policy"];
  if (merged["serial_number.policy"] !== "custom") delete merged["serial_number.value"];
  return merged;
}

function valueOf(settings: VmSettings, path: string): SettingValue | undefined {
  const own = settings[path];
  if (own !== undefined) return own;
  if (path === "memory_policy.guaranteed") return setting(settings, "memory");
  if (path === "memory_policy.max") return String(Number(setting(settings, "memory")) * 4);
  return vmSettings[path]?.initial;
}

function put(content: Record<string, XmlValue>, [name = "", ...rest]: readonly string[], value: XmlValue): void {
  if (rest.length === 0) {
    content[name] = value;
    return;
  }
  const present = content[name];
  const inner: Record<string, XmlValue> = isXmlObject(present) ? { ...present } : {};
  put(inner, rest, value);
  content[name] = inner;
}

function many(value: SettingValue): readonly string[] {
  return typeof value === "string" ? [value] : value;
}
