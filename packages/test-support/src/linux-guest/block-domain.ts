import { gunzipSync, gzipSync } from "node:zlib";

import type { LinuxGuest } from "./linux-guest.ts";

/** As VDSM's commands: they see multipath devices, whatever the host's settings say. */
const LVM = 'devices{filter=["a|^/dev/mapper/[0-9A-Za-z]+$|","r|.*|"] hints="none" use_devicesfile=0}';
const WWID = "36001405f3b1a520c7e4e0b9a7d2f8f1b";
export const EXTENT_BYTES = 128 * 1024 * 1024;

/** Makes /dev/vdb the path of a multipath device, and that the group of a storage domain, with its special volumes. */
const CREATE = `
lvm=$1 wwid=$2 sd=$3 dc=$4
dmsetup create "$wwid" --uuid "mpath-$wwid" --table "0 $(blockdev --getsz /dev/vdb) linear /dev/vdb 0"
udevadm settle
pvcreate --config "$lvm" -q --metadatasize 128m "/dev/mapper/$wwid"
vgcreate --config "$lvm" -q -s 128m --addtag RHAT_storage_domain --addtag MDT_CLASS=Data --addtag MDT_TYPE=ISCSI \\
  --addtag MDT_VERSION=5 --addtag MDT_ROLE=Regular --addtag "MDT_SDUUID=$sd" --addtag "MDT_POOL_UUID=$dc" \\
  --addtag "MDT_PV0=pv:$wwid&44&pestart:0" "$sd" "/dev/mapper/$wwid"
for special in metadata:128m ids:128m leases:2048m xleases:1024m inbox:128m outbox:128m master:1024m; do
  lvcreate --config "$lvm" -q -an -Zn -Wn -L "\${special#*:}" -n "\${special%:*}" "$sd"
done
mkdir -p "/rhev/data-center/$dc" "/rhev/data-center/mnt/blockSD/$sd/images"
ln -sfn "/rhev/data-center/mnt/blockSD/$sd" "/rhev/data-center/$dc/$sd"`;

const ADD = `
lvm=$1 sd=$2 image=$3 volume=$4 parent=$5 bytes=$6
lvcreate --config "$lvm" -q -an -Zn -Wn -L "\${bytes}b" --addtag "IU_$image" --addtag "PU_$parent" --addtag MD_1 -n "$volume" "$sd"`;

/** On a host that has worked with the volume, VDSM has left its link. */
const LINK = `
sd=$1 image=$2 volume=$3 directory=/rhev/data-center/mnt/blockSD/$1/images/$2
mkdir -p "$directory"
ln -sfn "/dev/$sd/$volume" "$directory/$volume"`;

/** Around work on the device of a volume, `$device`: it is as active afterwards as it was before. */
const WHILE_ACTIVE = `
lvm=$1 path=$2 device=/dev/$2
case $(lvs --config "$lvm" --noheadings -o lv_attr "$path") in
  *-wi-a*) deactivate() { :; };;
  *) deactivate() { lvchange --config "$lvm" -an -- "$path"; };;
esac
lvchange --config "$lvm" -ay -- "$path"`;

const ACTIVE = `
lvs --config "$1" --noheadings -o lv_name,lv_attr "$2" | while read -r name attributes; do
  case $attributes in ????a*) echo "$name";; esac
done`;

/** Changes the metadata of the group, and no device. */
const EXTEND_ELSEWHERE = `
lvm=$1 group=$2 volume=$3 bytes=$4
backup() { vgcfgbackup --config "$lvm" -q -f "/tmp/$1" "$group" > /dev/null; }
restore() { vgcfgrestore --config "$lvm" -q -y --force -f "/tmp/$1" "$group" > /dev/null; }
backup before
lvchange --config "$lvm" -an -- "$group/$volume"
lvextend --config "$lvm" -q -L "\${bytes}b" "$group/$volume" > /dev/null
backup after
restore before
lvchange --config "$lvm" -ay -- "$group/$volume"
restore after`;

/** How a host's own commands do not see the group. */
const HIDE = {
  nothing: "",
  filter: `sed -i '/^devices {/a filter = [ "a|^/dev/vda$|", "r|.*|" ]' /etc/lvm/lvm.conf`,
  devicesFile: `mkdir -p /etc/lvm/devices; : > /etc/lvm/devices/system.devices
    sed -i '/^devices {/a use_devicesfile = 1' /etc/lvm/lvm.conf`,
} as const;

export interface BlockDomainIds {
  readonly storageDomainId: string;
  readonly dataCenterId: string;
}

export interface BlockVolume {
  readonly imageId: string;
  readonly volumeId: string;
  /** Default: none. */
  readonly parentId?: string | undefined;
  /** Rounded up to whole extents. */
  readonly bytes: number;
  /** Whether the host has a link to it. Default: true. */
  readonly linked?: boolean;
}

/**
 * A block storage domain in a guest, on /dev/vdb, as VDSM makes it: a volume group with extents of 128 MiB and VDSM's
 * tags, each volume a logical volume, which is inactive while no machine uses it.
 */
export class BlockDomain {
  readonly guest: LinuxGuest;
  readonly storageDomainId: string;

  private constructor(guest: LinuxGuest, storageDomainId: string) {
    this.guest = guest;
    this.storageDomainId = storageDomainId;
  }

  static async create(guest: LinuxGuest, { storageDomainId, dataCenterId }: BlockDomainIds): Promise<BlockDomain> {
    await guest.run(`set -e${CREATE}`, [LVM, WWID, storageDomainId, dataCenterId]);
    return new BlockDomain(guest, storageDomainId);
  }

  async add({ imageId, volumeId, parentId, bytes, linked = true }: BlockVolume): Promise<void> {
    const parent = parentId ?? "00000000-0000-0000-0000-000000000000";
    const rounded = Math.ceil(bytes / EXTENT_BYTES) * EXTENT_BYTES;
    await this.guest.run(ADD, [LVM, this.storageDomainId, imageId, volumeId, parent, String(rounded)]);
    if (linked) await this.guest.run(LINK, [this.storageDomainId, imageId, volumeId]);
  }

  async remove(volumeId: string): Promise<void> {
    await this.guest.run('lvremove --config "$1" -q -f "$2"', [LVM, this.#path(volumeId)]);
  }

  /** Writes the first bytes of a volume. */
  async fill(volumeId: string, content: Uint8Array): Promise<void> {
    const work = 'gzip -d | dd of="$device" bs=1M conv=fsync status=none';
    await this.#whileActive(volumeId, work, [], gzipSync(content, { level: 1 }));
  }

  /** Reads a volume: so many bytes, or a QCOW2 image up to its end. */
  async read(volumeId: string, bytes: number | "qcow2"): Promise<Buffer> {
    const end = `qemu-img check -f qcow2 --output=json "$device" | sed -n 's/.*"image-end-offset": \\([0-9]*\\).*/\\1/p'`;
    const work = `bytes=\${3:-$(${end})}; head -c "$bytes" "$device" | gzip -1`;
    return gunzipSync(await this.#whileActive(volumeId, work, [bytes === "qcow2" ? "" : String(bytes)]));
  }

  async activate(volumeId: string): Promise<void> {
    await this.guest.run('lvchange --config "$1" -ay -- "$2"', [LVM, this.#path(volumeId)]);
  }

  async deactivate(volumeId: string): Promise<void> {
    await this.guest.run('lvchange --config "$1" -an -- "$2"', [LVM, this.#path(volumeId)]);
  }

  /** Extends an active volume, as another host does it: the device here stays as it is. */
  async extendElsewhere(volumeId: string, bytes: number): Promise<void> {
    await this.guest.run(`set -e${EXTEND_ELSEWHERE}`, [LVM, this.storageDomainId, volumeId, String(bytes)]);
  }

  /** Names of the active ones, volumes and special ones. */
  async active(): Promise<readonly string[]> {
    const names = await this.guest.run(ACTIVE, [LVM, this.storageDomainId]);
    return names.split("\n").filter(Boolean).toSorted();
  }

  /** Names of all but the special ones. */
  async volumes(): Promise<readonly string[]> {
    const names = await this.guest.run('lvs --config "$1" --noheadings -o lv_name "$2"', [LVM, this.storageDomainId]);
    return names
      .split("\n")
      .map((name) => name.trim())
      .filter((name) => name.includes("-"))
      .toSorted();
  }

  /** Sets how the host's settings hide the group from commands that do not bring settings of their own. */
  async hide(by: keyof typeof HIDE): Promise<void> {
    const restore = "cp -n /etc/lvm/lvm.conf /etc/lvm/lvm.conf.orig; cp /etc/lvm/lvm.conf.orig /etc/lvm/lvm.conf";
    await this.guest.run(`${restore}; rm -rf /etc/lvm/devices; ${HIDE[by]}`);
  }

  async #whileActive(
    volumeId: string,
    work: string,
    args: readonly string[],
    input: Uint8Array = Buffer.of(),
  ): Promise<Buffer> {
    const script = `set -e${WHILE_ACTIVE}\n${work}\ndeactivate`;
    return await this.guest.output(script, [LVM, this.#path(volumeId), ...args], { input });
  }

  #path(volumeId: string): string {
    return `${this.storageDomainId}/${volumeId}`;
  }
}
