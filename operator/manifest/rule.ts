/** A rule that the API server checks by itself, in CEL (https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#validation-rules). */
export interface CelRule {
  rule: string;
  /** What a person reads who broke it. */
  message: string;
}

/** What the API server is told of a schema besides what zod says of it, for `.meta()`. */
export function cel(...rules: CelRule[]): { 'x-kubernetes-validations': CelRule[] } {
  return { 'x-kubernetes-validations': rules };
}

/** Words as a list of CEL. */
export function celList(words: Iterable<string>): string {
  return `[${[...words].map((word) => `'${word}'`).join(', ')}]`;
}

/** A field that is there from the beginning, and stays as it is. */
export function immutable(what: string): CelRule {
  return { rule: 'self == oldSelf', message: `${what} can't be changed: delete the object and create another one.` };
}
