/** The names of managers in ovault.yaml, present and former. */
export class ManagerNames {
  readonly #present: ReadonlySet<string>;
  /** Present names by former name. */
  readonly #renamed: ReadonlyMap<string, string>;

  constructor(managers: Iterable<{ readonly name: string; readonly formerNames: readonly string[] }>) {
    const all = [...managers];
    this.#present = new Set(all.map(({ name }) => name));
    this.#renamed = new Map(all.flatMap(({ name, formerNames }) => formerNames.map((former) => [former, name])));
  }

  /** The present name of the manager with this name; the name itself when it is not a former one. */
  presentNameOf(name: string): string {
    return this.#renamed.get(name) ?? name;
  }

  /** Whether a manager has this name now. */
  isKnown(name: string): boolean {
    return this.#present.has(name);
  }
}
