import { describeKilledBackups } from "../support/killed-strategy.ts";

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
