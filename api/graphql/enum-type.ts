import { registerEnumType } from 'type-graphql';

/** An enum object whose values equal their names, as GraphQL shows them. */
export type EnumObject<V extends string> = { readonly [K in V]: K };

/**
 * Declares a GraphQL enum: every value with its description (clients should expect values that they don't know yet).
 * Returns the object to be named in `@Field(() => …)`.
 */
export function enumType<V extends string>(name: string, description: string, values: Record<V, string>): EnumObject<V> {
  const names = Object.keys(values) as V[];
  const object = Object.freeze(Object.fromEntries(names.map((value) => [value, value]))) as EnumObject<V>;
  const valuesConfig = Object.fromEntries(names.map((value) => [value, { description: values[value] }])) as never;
  registerEnumType(object, { name, description, valuesConfig });
  return object;
}
