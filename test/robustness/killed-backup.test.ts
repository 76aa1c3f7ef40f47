import { describeKilledBackups } from "../support/killed-strategy.ts";

describeKilledBackups({
  strategy: "changed-block-tracking",
  ways: { full: ["--full"], incremental: [] },
});
