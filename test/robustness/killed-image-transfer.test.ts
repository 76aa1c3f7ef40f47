import { describeKilledBackups } from "../support/killed-strategy.ts";

const KEPT = ["--keep-base"];

describeKilledBackups({
  strategy: "image-transfer",
  between: KEPT,
  ways: {
    "full, its snapshot kept": [...KEPT, "--full"],
    "incremental, its snapshot kept": KEPT,
    "incremental, and no snapshot kept any more": [],
  },
  share: 0.5,
});
