import { EventEmitter } from 'node:events';
import { stopSignals } from '#cli/stop-signals.js';

function setUp(channel = false) {
  let time = 0;
  const forced: number[] = [];
  const source = Object.assign(new EventEmitter(), channel ? { channel: { unref: () => undefined } } : {});
  const signal = stopSignals(source, () => time, (exitCode) => forced.push(exitCode));
  return { source, signal, forced, pass: (ms: number) => { time += ms; } };
}

test.each(['SIGTERM', 'SIGINT', 'SIGHUP'])('The first %s asks to stop', (name) => {
  const { source, signal, forced } = setUp();
  source.emit(name);
  expect([signal.aborted, signal.reason, forced]).toEqual([true, name, []]);
});

test('The same wish that arrives twice is one', () => {
  const { source, forced, pass } = setUp();
  source.emit('SIGINT');
  pass(100);
  source.emit('SIGINT');
  expect(forced).toEqual([]);
});

test('A later signal, of whatever kind, forces, with the exit code of that signal', () => {
  const { source, forced, pass } = setUp();
  source.emit('SIGINT');
  pass(1000);
  source.emit('SIGTERM');
  expect(forced).toEqual([143]);
});

test('The end of the process that started us is a wish to stop, and no force', () => {
  const { source, signal, forced } = setUp(true);
  source.emit('disconnect');
  expect([signal.aborted, forced]).toEqual([true, []]);
});
