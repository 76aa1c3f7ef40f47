/**
 * Serves an image on a unix socket: `$1` limits the time, in seconds, `$2` is the file to try direct access with, the
 * rest is qemu-nbd's own. Direct access leaves the host's memory to its machines; some file systems have none.
 */
export const QEMU_NBD = `
seconds=$1 file=$2
shift 2
cache=writeback
dd if="$file" of=/dev/null bs=4096 count=1 iflag=direct 2>/dev/null && cache=none
# From 5.2 on; before, the allocation itself tells holes from zeros.
if qemu-nbd --help | grep -q -e --allocation-depth; then set -- --allocation-depth "$@"; fi
socket=$directory/nbd.sock
stop() { kill "$server" 2>/dev/null && wait "$server"; }
timeout --foreground "$seconds" qemu-nbd --persistent --socket="$socket" --cache="$cache" "$@" >&2 &
server=$!
until [ -S "$socket" ]; do
  kill -0 "$server" 2>/dev/null || { wait "$server"; exit; }
  sleep 0.05
done
echo "$socket"
wait "$server"`;
