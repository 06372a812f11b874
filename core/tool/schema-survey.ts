import { formatCost } from './formats.js';
import { linearPattern, type LinearPattern } from './pattern.js';
import { SchemaUnusable } from './schema-unusable.js';

/** What a look over a schema tells about the time that checks by it can take. */
export interface SchemaSurvey {
  /**
   * Whether compiling is quick, and checking takes at most about `weight` steps for each value in the instance and `scan` for each character: no recursion, no keyword that
   * compares everything with everything, no pattern for a backtracking engine.
   */
  bounded: boolean;
  weight: number;
  scan: number;
  /** Whether a format is asked for, and thus long texts are not for the main thread. */
  hasFormat: boolean;
  patterns: ReadonlyMap<string, LinearPattern>;
}

const LIMITS = { nodes: 20_000, characters: 4_000_000, depth: 128 };
const BOUNDED = { nodes: 1000, characters: 262_144, depth: 64, references: 16, weight: 5000, scan: 20_000 };
const UNBOUNDED_KEYWORDS: ReadonlySet<string> = new Set([
  '$dynamicRef', '$recursiveRef', '$anchor', '$dynamicAnchor', '$recursiveAnchor', '$vocabulary', 'unevaluatedProperties', 'unevaluatedItems',
]);

/**
 * Looks over a schema as plain JSON, without telling keywords from the names of properties: a property that is named like a keyword can make the answer more careful, never less.
 * Time is bounded by the size that is allowed at all; throws {@link SchemaUnusable} beyond it.
 */
export function surveySchema(schema: unknown): SchemaSurvey {
  const surveyor = new Surveyor(schema);
  const { weight, scan } = surveyor.weigh(schema, 0);
  const { nodes, characters, depth, hasFormat, patterns } = surveyor;
  const bounded = surveyor.bounded && nodes <= BOUNDED.nodes && characters <= BOUNDED.characters && depth <= BOUNDED.depth && weight <= BOUNDED.weight && scan <= BOUNDED.scan;
  return { bounded, weight, scan, hasFormat, patterns };
}

interface Cost {
  weight: number;
  scan: number;
}

class Surveyor {
  nodes = 0;
  characters = 0;
  depth = 0;
  bounded = true;
  hasFormat = false;
  readonly patterns = new Map<string, LinearPattern>();
  readonly #known = new Map<object, Cost>();
  readonly #open = new Set<object>();
  #references = 0;
  constructor(private readonly root: unknown) {}

  /** Cost of a part with everything that it refers to written out; each part is looked at once. */
  weigh(part: unknown, depth: number): Cost {
    if (typeof part === 'string') this.characters += part.length;
    if (typeof part !== 'object' || part === null) return this.#count(depth);
    const known = this.#known.get(part);
    if (known !== undefined) return known;
    if (this.#open.has(part)) {
      this.bounded = false;
      return { weight: 1, scan: 0 };
    }
    this.#open.add(part);
    const cost = { ...this.#count(depth) };
    for (const [name, child] of Object.entries(part)) {
      if (!Array.isArray(part)) {
        this.characters += name.length;
        add(cost, this.#keyword(part as Record<string, unknown>, name, child));
      }
      add(cost, this.weigh(child, depth + 1));
    }
    this.#open.delete(part);
    this.#known.set(part, cost);
    return cost;
  }

  #count(depth: number): Cost {
    this.nodes += 1;
    if (depth > this.depth) this.depth = depth;
    if (this.nodes > LIMITS.nodes || this.characters > LIMITS.characters || depth > LIMITS.depth) throw new SchemaUnusable('The schema is too large or nested too deeply to be used.');
    return { weight: 1, scan: 0 };
  }

  #keyword(parent: Record<string, unknown>, name: string, value: unknown): Cost {
    const cost = { weight: 0, scan: 0 };
    if (UNBOUNDED_KEYWORDS.has(name)) this.bounded = false;
    else if (name === '$ref' && typeof value === 'string') add(cost, this.#reference(value));
    else if (name === '$id' && typeof value === 'string' && parent !== this.root) this.bounded = false;
    else if (name === 'pattern' && typeof value === 'string') cost.scan += this.#pattern(value);
    else if (name === 'patternProperties' && typeof value === 'object' && value !== null) for (const source of Object.keys(value)) cost.scan += this.#pattern(source);
    else if ((name === 'minLength' || name === 'maxLength') && typeof value === 'number') cost.scan += 0.1;
    else if (name === 'format' && typeof value === 'string') this.#format(value);
    else if (name === 'uniqueItems' && value === true && !itemsAreScalars(parent['items'])) this.bounded = false;
    return cost;
  }

  #reference(pointer: string): Cost {
    const target = resolveLocal(this.root, pointer);
    if (typeof target !== 'object' || target === null || this.#references >= BOUNDED.references) {
      this.bounded = false;
      return { weight: 0, scan: 0 };
    }
    this.#references += 1;
    const cost = this.weigh(target, 1);
    this.#references -= 1;
    return cost;
  }

  #pattern(source: string): number {
    const pattern = this.patterns.get(source) ?? linearPattern(source);
    if (pattern === null) {
      this.bounded = false;
      return 0;
    }
    this.patterns.set(source, pattern);
    return pattern.size;
  }

  #format(name: string): void {
    const cost = formatCost(name);
    if (cost === 'FAST') this.hasFormat = true;
    if (cost === 'SLOW') this.bounded = false;
  }
}

function add(sum: Cost, cost: Cost): void {
  sum.weight += cost.weight;
  sum.scan += cost.scan;
}

/** Only then does Ajv look for duplicates with a table instead of comparing all pairs. */
function itemsAreScalars(items: unknown): boolean {
  if (typeof items !== 'object' || items === null || Array.isArray(items)) return false;
  const type = (items as Record<string, unknown>)['type'];
  const types: unknown[] = Array.isArray(type) ? type : [type];
  return types.length > 0 && types.every((name) => name === 'string' || name === 'number' || name === 'integer' || name === 'boolean' || name === 'null');
}

/** What a `#` or `#/…` reference points to by RFC 6901; undefined for any other reference, and where there is nothing. */
function resolveLocal(root: unknown, reference: string): unknown {
  if (reference === '#') return root;
  if (!reference.startsWith('#/')) return undefined;
  let part: unknown = root;
  for (const token of reference.slice(2).split('/')) {
    if (typeof part !== 'object' || part === null) return undefined;
    const name = decode(token).replaceAll('~1', '/').replaceAll('~0', '~');
    part = Object.hasOwn(part, name) ? (part as Record<string, unknown>)[name] : undefined;
  }
  return part;
}

function decode(token: string): string {
  try {
    return decodeURIComponent(token);
  } catch {
    return token;
  }
}
