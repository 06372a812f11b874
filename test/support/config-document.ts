import { KEYS, MODES, type KeyDefinition } from '#core/config/keys.js';

/** How to make `schema/config.md` anew. */
export const GENERATE_COMMAND = 'npm run generate:config';

/** The text of `schema/config.md`, from the table of keys. */
export function configDocument(): string {
  const rows = Object.entries(KEYS).map(([name, definition]: [string, KeyDefinition]) =>
    `| \`${name}\` | ${defaultOf(definition)} | ${definition.secret === true ? 'yes' : ''} | ${sentence(definition)} | \`${definition.example}\` |`);
  return `<!-- Generated from core/config/keys.ts by \`${GENERATE_COMMAND}\`. Don't edit. -->
# Configuration

Settings come from the environment and from the JSON file that \`FAIRLEAD_CONFIG\` names, which has the same keys; the environment wins, and an empty value counts as not set.
In the file, lists may be JSON arrays, and numbers and \`true\` or \`false\` may stand without quotes.
Every secret may come as \`<KEY>_FILE\` instead: the path of a file that holds it. Everything is checked at the start, and all faults are shown at once; so are keys that don't exist.

| key | default | secret | what it is | example |
|---|---|---|---|---|
${rows.join('\n')}
`;
}

function defaultOf({ default: value, defaultText }: KeyDefinition): string {
  if (defaultText !== undefined) return defaultText;
  if (typeof value === 'string') return value === '' ? 'none' : `\`${value}\``;
  return MODES.filter((mode) => value?.[mode] !== undefined).map((mode) => `\`fairlead ${mode}\`: \`${value?.[mode]}\``).join('; ');
}

function sentence({ description, expects }: KeyDefinition): string {
  return `${description} Expects ${expects}.`.replaceAll('|', '\\|');
}
