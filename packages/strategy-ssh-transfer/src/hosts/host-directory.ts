/**
 * The start of every script that runs for a while on a host: makes `$directory` for it, which only its user may enter,
 * and takes its name, `$1`, from the arguments. Tries the next place where one is full or not writable. The directory
 * goes when the script ends; `stop`, a function of the script, is called before.
 */
export const MAKE_DIRECTORY = `
name=$1
shift
umask 077
stop() { :; }
place=
for base in "/run/user/$(id -u)" /run/vdsm /run /tmp; do
  directory=$base/$name
  mkdir "$directory" 2>/dev/null || continue
  # A full file system may still have room for a directory.
  { echo $$ > "$directory/pid"; } 2>/dev/null && place=$base && break
  rm -rf "$directory"
done
[ -n "$place" ] || { echo "no room for a directory in /run or /tmp" >&2; exit 1; }
# The script often ends by itself at the moment when it is ended: neither may keep the other from this.
clean() { trap '' HUP INT TERM; stop; rm -rf "$directory"; }
trap clean EXIT
trap 'clean; trap - EXIT; exit 143' HUP INT TERM
`;

/**
 * Reads the name of a directory from standard input, where no other process sees it. Prints what there is of it; with
 * the argument \`end\`, ends and removes it first. A process is ours when its command line has the name.
 */
export const FIND_DIRECTORY = `
read -r name
processes() {
  for file in $(printf '%s' "$name" | grep -laF -f - /proc/[0-9]*/cmdline 2>/dev/null); do
    process=\${file%/cmdline}
    case $(cat "$process/comm" 2>/dev/null) in timeout | qemu-nbd | python* | platform-python*) echo "\${process#/proc/}" ;; esac
  done
}
directories() {
  for base in "/run/user/$(id -u)" /run/vdsm /run /tmp; do
    [ ! -d "$base/$name" ] || echo "$base/$name"
  done
}
if [ "\${1:-}" = end ]; then
  for signal in TERM TERM TERM KILL; do
    found=$(processes)
    [ -n "$found" ] || break
    kill -s "$signal" $found 2>/dev/null
    for pause in 0.1 0.4 0.5 1; do
      sleep "$pause"
      [ -n "$(processes)" ] || break
    done
  done
  directories | while read -r directory; do rm -rf "$directory"; done
fi
processes
directories
exit 0`;
