import { IntegrityError } from "@ovault/contract";

/** A pack that is whole but not the one of its name: two were exchanged, or one was restored to a wrong place. */
export class MisplacedPackError extends IntegrityError {}
