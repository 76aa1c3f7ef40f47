/**
 * How many recovery points of each virtual machine are kept, from 1. A point stays as long as one rule wants it. Days,
 * weeks, months and years count only where there is a point; the newest point stands for each.
 */
export interface RetentionRules {
  readonly keepLast?: number | undefined;
  readonly keepDaily?: number | undefined;
  /** Weeks begin on Monday (ISO 8601). */
  readonly keepWeekly?: number | undefined;
  readonly keepMonthly?: number | undefined;
  readonly keepYearly?: number | undefined;
}
