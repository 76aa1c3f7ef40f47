/**
 * What makes the volume groups of storage domains visible to a command, and only them: multipath devices, whose names
 * are WWIDs. Hosts hide these groups from commands without settings, by a filter or the devices file, which
 * `vdsm-tool config-lvm` writes; VDSM's own commands bring such settings too. Releases that do not know a setting ignore
 * it. Logical volumes have a hyphen in their device's name, so that LVM never looks into the disks of guests.
 */
const DEVICES = 'devices{filter=["a|^/dev/mapper/[0-9A-Za-z]+$|","r|.*|"] hints="none" use_devicesfile=0}';

const REPORT = ["--reportformat", "json", "--units", "b", "--nosuffix", "-o", "vg_name,lv_name,lv_attr,lv_size"];

/**
 * The commands of LVM that ovault runs on hosts; the names of volumes, `GROUP/VOLUME`, follow. No word of a command
 * varies, and after `--` there are only names, so that a line of sudoers can allow exactly these.
 */
export const LVM_COMMANDS = {
  list: ["/usr/sbin/lvs", "--config", DEVICES, ...REPORT, "--"],
  activate: ["/usr/sbin/lvchange", "--config", DEVICES, "-ay", "--"],
  deactivate: ["/usr/sbin/lvchange", "--config", DEVICES, "-an", "--"],
  refresh: ["/usr/sbin/lvchange", "--config", DEVICES, "--refresh", "--"],
} as const satisfies Readonly<Record<string, readonly string[]>>;

export type LvmCommand = keyof typeof LVM_COMMANDS;

/** Lines of sudoers(5) that let a user who is not root run ovault's commands of LVM, and nothing else. */
export function sudoersLines(user: string): readonly string[] {
  const commands = Object.values(LVM_COMMANDS).map((words) => [...words.map(escaped), "*"].join(" "));
  return [`Defaults:${user} !requiretty`, `${user} ALL=(root) NOPASSWD: ${commands.join(", \\\n  ")}`];
}

/** Characters with a meaning in the arguments of a command in sudoers: its own, and those of fnmatch(3). */
function escaped(word: string): string {
  return word.replaceAll(/[\\,:=#*?[\]]/g, String.raw`\$&`);
}
