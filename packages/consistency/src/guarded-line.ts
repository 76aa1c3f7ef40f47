/** Between being asked to end and being made to. */
export const GRACE_SECONDS = 5;

/**
 * A line for a POSIX shell that runs another one, and ends it with all of its process group when standard input ends: when we
 * close it, and also when we are gone. Servers hand on signals only to users other than root, and not all of them.
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
    // A line break, for the line may end in a comment.
    `(exec 3<&-; ${line}\n)`,
    'ovault_code=$?; kill -s KILL "$ovault_guard"; exit "$ovault_code"',
  ].join("\n");
}
