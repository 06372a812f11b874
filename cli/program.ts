import { Command, InvalidArgumentError } from 'commander';
import { KEYS, type KeyName } from '#core/config/keys.js';
import type { ProbeOptions } from './probe.js';
import { version } from './version.js';

/** Settings that were given as options: they win over the environment. */
export type Settings = Partial<Record<KeyName, string>>;

/** What the commands do. */
export interface Actions {
  dev(settings: Settings, options: { kubernetes: boolean }): Promise<void>;
  api(settings: Settings): Promise<void>;
  operator(settings: Settings): Promise<void>;
  migrate(settings: Settings): Promise<void>;
  probe(url: string, options: ProbeOptions, settings: Settings): Promise<void>;
  generateKey(): void;
  listKeys(settings: Settings): Promise<void>;
  keyStatus(settings: Settings): Promise<void>;
  rotateKeys(settings: Settings): Promise<void>;
  retireKey(id: string, settings: Settings): Promise<void>;
  releaseManifests(settings: Settings): Promise<void>;
}

/** Options that stand for a setting, by the option's attribute name. */
const OPTIONS = {
  config: { flags: '--config <file>', key: 'FAIRLEAD_CONFIG', text: 'JSON file with settings' },
  host: { flags: '--host <address>', key: 'HOST', text: 'address to listen on' },
  port: { flags: '--port <number>', key: 'PORT', text: 'port to listen on, 0 for any free one' },
  mirror: { flags: '--mirror <mode>', key: 'FAIRLEAD_MIRROR', text: 'off, on, or observe: print what mirroring the cluster would do, and do nothing' },
  stateDir: { flags: '--state-dir <folder>', key: 'FAIRLEAD_STATE_DIR', text: 'where database, key ring and token are kept' },
} as const;
type OptionName = keyof typeof OPTIONS;

const KEY_SETTINGS: KeyName[] = ['FAIRLEAD_KEYS', 'DATABASE_URL', 'FAIRLEAD_STATE_DIR'];

/** The `fairlead` command, with help that names the settings each command reads. Throws `CommanderError` instead of ending the process. */
export function createProgram(actions: Actions, output: { out: (text: string) => void; err: (text: string) => void }): Command {
  const program = new Command('fairlead')
    .description('Connects a team\'s automations to any system that has an MCP server.')
    .version(version())
    .addHelpText('after', '\nSettings come from the environment, a file (FAIRLEAD_CONFIG) and options; schema/config.md describes all of them.');

  settings(program.command('dev'), ['host', 'port', 'stateDir', 'config'])
    .description('Run everything on this machine: embedded PostgreSQL, API, operator, local administrator. This is what `npm start` runs.')
    .addHelpText('after', notes(['HOST', 'PORT', 'FAIRLEAD_STATE_DIR', 'DATABASE_URL', 'FAIRLEAD_PUBLIC_URL', 'FAIRLEAD_EGRESS_ALLOW', 'FAIRLEAD_LOG_LEVEL'], [
      'fairlead dev', 'fairlead dev --kubernetes', 'fairlead dev --port 0 --state-dir trial', 'DATABASE_URL=postgres://me:secret@localhost/fairlead fairlead dev',
    ]))
    .option('--kubernetes', 'also run a small Kubernetes control plane (built with Go, or of KUBEBUILDER_ASSETS), and mirror it', false)
    .action((options: { kubernetes: boolean }, command: Command) => actions.dev(given(command), options));

  settings(program.command('api'), ['host', 'port', 'config'])
    .description('Run the API of an installation, on a database and a key ring of its own.')
    .addHelpText('after', notes(['DATABASE_URL', 'FAIRLEAD_KEYS', 'FAIRLEAD_OIDC_ISSUER', 'FAIRLEAD_OIDC_AUDIENCE', 'HOST', 'PORT', 'FAIRLEAD_PUBLIC_URL', 'FAIRLEAD_MIGRATE', 'FAIRLEAD_METRICS_PORT', 'OTEL_EXPORTER_OTLP_ENDPOINT'], [
      'fairlead api --config /etc/fairlead/config.json', 'HOST=0.0.0.0 FAIRLEAD_PUBLIC_URL=https://fairlead.example.com fairlead api',
    ]))
    .action((_options, command: Command) => actions.api(given(command)));

  settings(program.command('operator'), ['mirror', 'config'])
    .description('Run the operator of an installation: it keeps connections true. Any number of them share one database.')
    .addHelpText('after', notes(['DATABASE_URL', 'FAIRLEAD_KEYS', 'FAIRLEAD_PUBLIC_URL', 'FAIRLEAD_EGRESS_ALLOW', 'FAIRLEAD_MIGRATE', 'FAIRLEAD_METRICS_PORT', 'FAIRLEAD_OPERATOR_HEARTBEAT_MS', 'OTEL_EXPORTER_OTLP_ENDPOINT', 'FAIRLEAD_MIRROR', 'FAIRLEAD_KUBECONFIG', 'FAIRLEAD_MIRROR_NAMESPACES'], [
      'fairlead operator --config /etc/fairlead/config.json', 'FAIRLEAD_PUBLIC_URL=https://fairlead.example.com fairlead operator', 'FAIRLEAD_KUBECONFIG=~/.kube/config fairlead operator --mirror=observe',
    ]))
    .action((_options, command: Command) => actions.operator(given(command)));

  settings(program.command('migrate'), ['config'])
    .description('Bring the database to the schema of this version. Running it again does nothing more.')
    .addHelpText('after', notes(['DATABASE_URL'], ['DATABASE_URL_FILE=/run/secrets/database fairlead migrate']))
    .action((_options, command: Command) => actions.migrate(given(command)));

  settings(program.command('probe').argument('<url>', 'address of the server'), ['config'])
    .description('Say what an MCP server is: reachable or not, which protocol, whether it wants a credential. Exit code 0 if it can be used.')
    .option('--header <name: value>', 'header to send, repeatable; other users of this machine can see it', collect, [])
    .option('--timeout <milliseconds>', 'deadline over everything', milliseconds, 15_000)
    .option('--json', 'print the report as JSON', false)
    .addHelpText('after', notes(['FAIRLEAD_EGRESS_ALLOW', 'HOST'], ['fairlead probe https://mcp.example.com/mcp', 'fairlead probe http://127.0.0.1:3001/mcp --json']))
    .action((url: string, options: { header: string[]; timeout: number; json: boolean }, command: Command) =>
      actions.probe(url, { header: options.header, json: options.json, timeoutMs: options.timeout }, given(command)));

  const keys = program.command('keys').description('Make, look at, rotate and retire the keys that seal credentials.');
  keys.command('generate')
    .description('Print a new entry for a key ring. The first entry of a ring seals; keep the older ones behind it for as long as something is sealed with them.')
    .addHelpText('after', notes([], ['fairlead keys generate > keys && chmod 600 keys', 'FAIRLEAD_KEYS="$(fairlead keys generate),$FAIRLEAD_KEYS"']))
    .action(() => actions.generateKey());
  settings(keys.command('list'), ['stateDir', 'config'])
    .description('Print the ids of the ring that is configured, never a key.')
    .addHelpText('after', notes(['FAIRLEAD_KEYS', 'FAIRLEAD_STATE_DIR'], ['fairlead keys list', 'FAIRLEAD_KEYS_FILE=/run/secrets/keys fairlead keys list']))
    .action((_options, command: Command) => actions.listKeys(given(command)));
  settings(keys.command('status'), ['stateDir', 'config'])
    .description('Say what each key of the ring wraps, which processes hold it, and what a rotation waits for. Shows no key.')
    .addHelpText('after', notes(KEY_SETTINGS, ['fairlead keys status', 'fairlead keys status --state-dir trial']))
    .action((_options, command: Command) => actions.keyStatus(given(command)));
  settings(keys.command('rotate'), ['stateDir', 'config'])
    .description('Put a new key in front of the ring. A ring that is in a file is changed there; any other is printed to stdout, with what to do with it on stderr. '
      + 'Nothing stops: no process uses the new key before all of them hold it, then the operator wraps every data key with it, in the background. Older keys stay until they are retired.')
    .addHelpText('after', notes(KEY_SETTINGS, ['fairlead keys rotate', 'FAIRLEAD_KEYS_FILE=/etc/fairlead/keys fairlead keys rotate', '(umask 077; fairlead keys rotate > new-ring)   # where FAIRLEAD_KEYS holds the ring']))
    .action((_options, command: Command) => actions.rotateKeys(given(command)));
  settings(keys.command('retire').argument('<id>', 'id of the key, as `fairlead keys list` shows it'), ['stateDir', 'config'])
    .description('Take a key out of the ring. Refused, with how many, while data keys are wrapped by it or a process still uses it. A key that is taken out of a file is put aside '
      + 'beside it (<file>.retired): backups of the database from before need it.')
    .addHelpText('after', notes(KEY_SETTINGS, ['fairlead keys retire k20260101-1a2b3c4d']))
    .action((id: string, _options, command: Command) => actions.retireKey(id, given(command)));

  const mirror = program.command('mirror').description('Look after the mirror of a Kubernetes cluster.');
  settings(mirror.command('release'), ['config'])
    .description('Before the operator is removed for good: end the mirror, and take our finalizer off every ConnectionType and Enrollment, so that they can be deleted without it. What they declared stays. The chart runs it before it is uninstalled.')
    .addHelpText('after', notes(['FAIRLEAD_KUBECONFIG', 'FAIRLEAD_MIRROR_NAMESPACES', 'FAIRLEAD_LEASE_NAMESPACE'], ['FAIRLEAD_KUBECONFIG=~/.kube/config FAIRLEAD_LEASE_NAMESPACE=fairlead fairlead mirror release']))
    .action((_options, command: Command) => actions.releaseManifests(given(command)));

  for (const command of [program, ...program.commands, ...keys.commands, ...mirror.commands]) {
    command.exitOverride().configureOutput({ writeOut: output.out, writeErr: output.err }).showHelpAfterError('(--help shows what there is)');
  }
  return program;
}

function settings(command: Command, names: OptionName[]): Command {
  for (const name of names) command.option(OPTIONS[name].flags, `${OPTIONS[name].text} (as ${OPTIONS[name].key})`);
  return command;
}

function given(command: Command): Settings {
  const options = command.opts<Record<string, unknown>>();
  const pairs = Object.entries(OPTIONS).flatMap(([name, { key }]) => (typeof options[name] === 'string' ? [[key, options[name]]] : []));
  return Object.fromEntries(pairs) as Settings;
}

function notes(keys: KeyName[], examples: string[]): string {
  const width = Math.max(0, ...keys.map((name) => name.length));
  const listed = keys.map((name) => `  ${name.padEnd(width)}  ${firstSentence(KEYS[name].description)}`);
  return [
    ...(listed.length > 0 ? ['', 'Settings (secrets also as <KEY>_FILE):', ...listed] : []),
    '', 'Examples:', ...examples.map((example) => `  ${example}`),
  ].join('\n');
}

function firstSentence(description: string): string {
  return description.replaceAll('`', '').replace(/(\.|;) .*$/, '.');
}

function collect(value: string, before: string[]): string[] {
  return [...before, value];
}

function milliseconds(value: string): number {
  if (!/^[1-9]\d{0,6}$/.test(value)) throw new InvalidArgumentError('A whole number of milliseconds is wanted.');
  return Number(value);
}
