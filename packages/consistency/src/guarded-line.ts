/** Between the request to end and the kill. */
export const GRACE_SECONDS = 5;

/**
 * A line for a POSIX shell that runs another one, and ends its process group when standard input ends: when ovault
 * closes it, and when ovault dies. SSH servers forward signals only for users other than root, and not all do.
 */
export function guardedLine(line: string): string {
  const guard = [
    `trap '' TERM`,
    "cat <&3 >/dev/null",
    "kill -s TERM 0",
    `sleep ${GRACE_SECONDS}`,
    "kill -s KILL 0",
  ].join("; ");
  return [
    "exec 3<&0 </dev/null",
    `(${guard}) >/dev/null 2>&1 & ovault_guard=$!`,
    // Line breaks, because the line may end in a comment.
    `(exec 3<&-; ${line}\n)`,
    'ovault_code=$?; kill -s KILL "$ovault_guard"; exit "$ovault_code"',
  ].join("\n");
}
