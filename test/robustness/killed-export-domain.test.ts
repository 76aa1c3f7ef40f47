import { describeKilledBackups, describeKilledRestores } from "../support/killed-strategy.ts";

const STRATEGY = ["--strategy", "export-domain"];
const ENGINE = { engineVersion: "3.6", staging: true } as const;

describeKilledBackups({
  ...ENGINE,
  strategy: "export-domain",
  ways: { full: ["--full"], "compared with the last point": [] },
  share: 0.5,
});

describeKilledRestores({ ...ENGINE, backup: STRATEGY, restore: [...STRATEGY, "--import"], share: 0.5 });
