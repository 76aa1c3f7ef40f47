import { NotFoundError, type RecoveryPoint } from "@ovault/contract";

/** Reports a point that is gone, or will be. */
export function goneError({ id, vm }: RecoveryPoint): NotFoundError {
  return new NotFoundError(`recovery point ${id} of ${vm.name} was forgotten, and its data is being deleted`, {
    context: { point: id },
    hint: "Run `ovault points` to see the recovery points.",
  });
}
