/** A request to the service that did not succeed. */
export interface FailedRequest {
  /** The attempted action, to follow "cannot": "write packs/ab/abcd". */
  readonly what: string;
  /** The place for messages: "s3://bucket at https://…". */
  readonly place: string;
}
