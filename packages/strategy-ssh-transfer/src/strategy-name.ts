/** Name of the strategy in configuration, ledger and recovery points. */
export const STRATEGY_NAME = "ssh-transfer";
