import { observe, type RunHooks } from "@ovault/contract";

/** Reports, as a phase of the run, that it waits for a host to end what it runs there. */
export function reportSilence({ phase }: Pick<RunHooks, "phase">): (host: string) => void {
  return (host) => {
    const detail = `host ${host} to say that nothing of this run is left there, for 40 s at most`;
    observe(phase, { phase: "wait", detail });
  };
}
