/** A request to the service that did not succeed. */
export interface FailedRequest {
  /** What was tried, to follow "cannot": "write packs/ab/abcd". */
  readonly what: string;
  /** Where, for people: "s3://bucket at https://…". */
  readonly place: string;
}
