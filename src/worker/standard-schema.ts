/**
 * The part of Standard Schema (standardschema.dev, version 1) that a worker needs of a schema: it validates. Written
 * down here so that any library that has it can be used and none is needed.
 */

export interface StandardSchema<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

export type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] };

export interface SchemaIssue {
  readonly message: string;
  readonly path?: ReadonlyArray<PropertyKey | { readonly key: PropertyKey }> | undefined;
}

/** What a schema makes of its input. */
export type Output<Schema> = Schema extends StandardSchema<infer _, infer Value> ? Value : unknown;

/** What a schema takes. */
export type Input<Schema> = Schema extends StandardSchema<infer Value, infer _> ? Value : unknown;

/** Where, and what: `path.0.name: must be a string`. */
export function issueText({ message, path = [] }: SchemaIssue): string {
  const place = path.map((part) => String(typeof part === 'object' ? part.key : part)).join('.');
  return place === '' ? message : `${place}: ${message}`;
}
