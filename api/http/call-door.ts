import { execute, GraphQLObjectType, GraphQLSchema, Kind, visit, type DocumentNode, type ExecutionResult, type OperationDefinitionNode } from 'graphql';
import type { GraphQLRequest } from '@apollo/server';
import type { UserError } from '../graphql/user-error.type.js';

/** Lets calls of tools in: as many as there is room for. */
export interface CallGate<C> {
  door: CallDoor;
  /** One that may be made, now or when there is room; null for one that is refused. */
  enter: (context: C) => Admitted | Promise<Admitted | null>;
}

/** A call that was let in. */
export interface Admitted {
  /** To be told when its request was answered. */
  answered(): void;
}

/** A document that calls a tool and does nothing else, as it was validated. */
interface KnownCall {
  document: DocumentNode;
  operationName: string | undefined;
  /** Refusals as they are sent; null where they depend on variables. */
  refusals: string[] | null;
}

const ROOT_FIELD = 'callTool';
const MAX_KNOWN = 500;
const MAX_LENGTH = 20_000;
/** All who are refused at a time shouldn't come back at a time. */
const RETRY_AFTER_MS = [500, 600, 700, 800, 900, 1000];

/**
 * Tells calls of tools from all else before anything of them is executed, by documents that were executed before, and knows what their refusal looks like: the very answer that the document
 * asks for, at the price of looking it up.
 */
export class CallDoor {
  readonly #schema: GraphQLSchema;
  /** By the document's text, then by the operation's name: a text of two kilobytes that is put together with a name is copied and hashed for each look. */
  readonly #known = new Map<string, Map<string | null, KnownCall>>();
  /** By their texts, the documents of which one request finds out what they are. */
  readonly #unknown = new Map<string, PromiseWithResolvers<void>>();

  /**
   * @param schema the whole one; only the types of its mutation are used
   * @param random from 0 to 1
   */
  constructor(schema: GraphQLSchema, private readonly random: () => number) {
    const { args, type } = schema.getMutationType()!.getFields()[ROOT_FIELD]!;
    const fields = { [ROOT_FIELD]: { type, args: Object.fromEntries(args.map(({ name, type: wanted, defaultValue }) => [name, { type: wanted, defaultValue }])) } };
    this.#schema = new GraphQLSchema({ query: schema.getQueryType(), mutation: new GraphQLObjectType({ name: 'Mutation', fields }) });
  }

  /**
   * For a request that isn't known to be a call: when it is found out whether its document is one, by the first request that came with it. Null for that first one, which is to go on and find out
   * (then {@link foundOut} is to be told), and for all that can't be calls.
   */
  beingFoundOut({ query }: GraphQLRequest): Promise<void> | null {
    if (query === undefined || query.length > MAX_LENGTH || !query.includes(ROOT_FIELD)) return null;
    const first = this.#unknown.get(query);
    if (first === undefined) this.#unknown.set(query, Promise.withResolvers());
    return first?.promise ?? null;
  }

  /** To be told when a request that went on has been found valid, or has ended: whoever waits for it goes on. */
  foundOut({ query }: GraphQLRequest): void {
    if (query === undefined) return;
    this.#unknown.get(query)?.resolve();
    this.#unknown.delete(query);
  }

  /** To be told of each operation that was found valid. */
  learn({ query, operationName }: GraphQLRequest, document: DocumentNode, operation: OperationDefinitionNode): void {
    this.#learn({ query, operationName }, document, operation);
    this.foundOut({ query });
  }

  #learn({ query, operationName }: GraphQLRequest, document: DocumentNode, operation: OperationDefinitionNode): void {
    if (query === undefined || query.length > MAX_LENGTH) return;
    const [field, ...others] = operation.selectionSet.selections;
    if (operation.operation !== 'mutation' || others.length > 0 || field?.kind !== Kind.FIELD || field.name.value !== ROOT_FIELD) return;
    let named = this.#known.get(query);
    if (named?.has(operationName ?? null) === true) return;
    if (named === undefined) {
      if (this.#known.size >= MAX_KNOWN) this.#known.delete(this.#known.keys().next().value!);
      this.#known.set(query, named = new Map());
    }
    named.set(operationName ?? null, { document, operationName, refusals: hasDirectives(document) ? null : [] });
  }

  /** Whether this is a call of a tool, and nothing else. */
  isCall({ query, operationName }: GraphQLRequest): boolean {
    return query !== undefined && this.#known.get(query)?.has(operationName ?? null) === true;
  }

  /** The answer to a call that is refused because of too much at a time, as JSON. Only for what {@link isCall}. */
  refusal({ query, operationName, variables }: GraphQLRequest): string {
    const known = this.#known.get(query!)!.get(operationName ?? null)!;
    const which = Math.floor(this.random() * RETRY_AFTER_MS.length);
    return known.refusals === null ? this.#refuse(known, variables, which) : known.refusals[which] ??= this.#refuse(known, variables, which);
  }

  #refuse({ document, operationName }: KnownCall, variableValues: GraphQLRequest['variables'], which: number): string {
    const refused: UserError = {
      code: 'OVERLOADED', message: 'More calls come in than this process can do. Try again shortly.', field: null, action: null, retryable: true, retryAfterMs: RETRY_AFTER_MS[which]!,
    };
    const rootValue = { [ROOT_FIELD]: { toolCall: null, userErrors: [refused] } };
    const result = execute({ schema: this.#schema, document, operationName, variableValues, rootValue }) as ExecutionResult;
    return `${JSON.stringify(result)}\n`;
  }
}

function hasDirectives(document: DocumentNode): boolean {
  let found = false;
  visit(document, { Directive: () => { found = true; } });
  return found;
}
