import { describeKilledBackups, describeKilledRestores } from "../support/killed-strategy.ts";

const STRATEGY = ["--strategy", "ssh-transfer"];
const KEPT = ["--keep-base"];

describeKilledBackups({
  strategy: "ssh-transfer",
  between: KEPT,
  ways: {
    "full, its snapshot kept": [...KEPT, "--full"],
    "incremental, its snapshot kept": KEPT,
  },
  share: 0.5,
});

describeKilledRestores({ backup: STRATEGY, restore: STRATEGY, share: 0.5 });
