/**
 * Whether connections to a host were lost, shared by all transfers of a run through it. A loss explains why a daemon
 * has forgotten tickets and why the engine has ended transfers, also those that were idle at that moment.
 */
export class HostLosses {
  #any = false;

  get any(): boolean {
    return this.#any;
  }

  note(): void {
    this.#any = true;
  }
}
