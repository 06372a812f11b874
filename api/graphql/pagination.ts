import { ArgsType, Field, Int, ObjectType, type ClassType } from 'type-graphql';
import { UserFault } from '#core/errors.js';
import { isId } from '#core/store/ids.js';
import type { Page, PageRequest } from '#core/store/page.js';

/** The largest page that can be asked for. */
export const MAX_PAGE = 100;

/** `first` and `after`, as in https://relay.dev/graphql/connections.htm. */
@ArgsType()
export class PageArgs {
  @Field(() => Int, { defaultValue: 20, description: 'How many to return, 1 to 100.' })
  first!: number;
  @Field(() => String, { nullable: true, description: 'The `endCursor` of the page before.' })
  after?: string | null;
}

@ObjectType({ description: 'Where a page stands in its list.', simpleResolvers: true })
export class PageInfo {
  @Field(() => Boolean, { description: 'Whether more follow.' }) hasNextPage!: boolean;
  @Field(() => Boolean, { description: 'Whether some came before: true when `after` was given.' }) hasPreviousPage!: boolean;
  @Field(() => String, { nullable: true, description: 'Cursor of the first row.' }) startCursor!: string | null;
  @Field(() => String, { nullable: true, description: 'Cursor of the last row: give it as `after`.' }) endCursor!: string | null;
}

/** One page as resolvers return it; `edges` and `totalCount` are made only when they are selected. */
export interface ConnectionView<N> {
  edges: () => { cursor: string; node: N }[];
  nodes: N[];
  pageInfo: PageInfo;
  totalCount: () => Promise<number> | number;
}

/** Declares `<Name>Connection` and `<Name>Edge` for a node class. `name` may differ from the node's. */
export function connectionType(node: () => ClassType, name: string): ClassType {
  @ObjectType(`${name}Edge`, { description: `One ${name} in a page.`, simpleResolvers: true })
  class Edge {
    @Field(() => String, { description: 'Give it as `after` to go on from here.' }) cursor!: string;
    @Field(node, { description: 'The row.' }) node!: unknown;
  }
  @ObjectType(`${name}Connection`, { description: `A page of ${name} rows.`, simpleResolvers: true })
  class Connection {
    @Field(() => [Edge], { description: 'The rows with their cursors.' }) edges!: Edge[];
    @Field(() => [node()], { description: 'The rows.' }) nodes!: unknown[];
    @Field(() => PageInfo, { description: 'Where this page stands.' }) pageInfo!: PageInfo;
    @Field(() => Int, { description: 'How many rows there are on all pages.' }) totalCount!: number;
  }
  return Connection;
}

/** No list has longer names: those of tools have 128 characters at the most. */
const MAX_NAME = 128;

/** Whether a cursor's key can be a name; those of most lists are ids. */
export function isNameKey(key: string): boolean {
  return key.length <= MAX_NAME && key.isWellFormed() && !key.includes('\u0000');
}

/** Checks page arguments and opens the cursor. `isKey` says what a key of this list looks like, so that a cursor of another one never gets to the database. Throws `UserFault` INVALID. */
export function pageRequest(args: PageArgs, isKey: (key: string) => boolean = isId): PageRequest {
  if (args.first < 1 || args.first > MAX_PAGE) throw new UserFault('INVALID', `"first" is 1 to ${MAX_PAGE}.`, { field: ['first'] });
  if (args.after == null) return { first: args.first, after: null };
  const text = Buffer.from(args.after, 'base64url').toString('utf8');
  if (!text.startsWith('c:') || cursor(text.slice(2)) !== args.after || !isKey(text.slice(2))) {
    throw new UserFault('INVALID', '"after" is not a cursor of this list: give the endCursor of the page before.', { field: ['after'] });
  }
  return { first: args.first, after: text.slice(2) };
}

function cursor(key: string): string {
  return Buffer.from(`c:${key}`).toString('base64url');
}

/** A page of rows as GraphQL shows it. `key` is the row's place in the order that the list has. */
export function connectionView<R, N>(page: Page<R>, request: PageRequest, key: (row: R) => string, view: (row: R) => N, totalCount: () => Promise<number> | number): ConnectionView<N> {
  const nodes = page.rows.map(view);
  const [first, last] = [page.rows[0], page.rows.at(-1)];
  return {
    edges: () => page.rows.map((row, index) => ({ cursor: cursor(key(row)), node: nodes[index]! })),
    nodes,
    pageInfo: {
      hasNextPage: page.hasNextPage,
      hasPreviousPage: request.after !== null,
      startCursor: first === undefined ? null : cursor(key(first)),
      endCursor: last === undefined ? null : cursor(key(last)),
    },
    totalCount,
  };
}
