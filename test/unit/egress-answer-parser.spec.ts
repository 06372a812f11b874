import { AnswerParser, type Headers } from '#core/egress/answer-parser.js';
import { EgressError } from '#core/egress/errors.js';

interface Read {
  status: number | null;
  headers: Headers;
  body: string;
  left: number | null;
}

/** Feeds a text in pieces of so many bytes. */
function read(text: string, size = text.length, parser = new AnswerParser()): Read {
  const seen: Read = { status: null, headers: {}, body: '', left: null };
  const sink = {
    head: (status: number, headers: Headers) => Object.assign(seen, { status, headers }),
    data: (bytes: Buffer) => { seen.body += bytes.toString('latin1'); },
  };
  const bytes = Buffer.from(text, 'latin1');
  for (let at = 0; at < bytes.length && seen.left === null; at += size) seen.left = parser.push(bytes.subarray(at, at + size), sink);
  return seen;
}

const fault = (text: string): string | null => {
  try {
    read(text);
    return null;
  } catch (error) {
    if (error instanceof EgressError) return error.code;
    throw error;
  }
};

describe('an answer', () => {
  const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n3;a=b\r\nabc\r\n0A\r\n0123456789\r\n0\r\nX-Sum: 1\r\n\r\n';

  it.each([1, 2, 3, 7, 1000])('in pieces of %i bytes is the same answer', (size) => {
    expect(read('HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Two:  a b \r\nx-two: c\r\n\r\nhello', size)).toMatchObject({ status: 200, headers: { 'content-length': '5', 'x-two': ['a b', 'c'] }, body: 'hello', left: 0 });
    expect(read(chunked, size)).toMatchObject({ status: 200, body: 'abc0123456789', left: 0 });
    expect(read('HTTP/1.1 103 Early\r\nlink: x\r\n\r\nHTTP/1.1 204 None\r\n\r\n', size)).toMatchObject({ status: 204, body: '', left: 0 });
  });

  it('says what was left over, so that the connection is not used again', () => {
    expect(read('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200').left).toBe(12);
  });

  it('without a length ends with its connection, and with one does not', () => {
    for (const [head, complete] of [['', true], ['content-length: 9\r\n', false], ['transfer-encoding: chunked\r\n', false]] as const) {
      const parser = new AnswerParser();
      read(`HTTP/1.1 200 OK\r\n${head}\r\n1`, undefined, parser);
      expect(parser.end()).toBe(complete);
    }
  });

  it.each([['HTTP/1.1 200 OK\r\n', true], ['HTTP/1.1 200 OK\r\nconnection: Close\r\n', false], ['HTTP/1.0 200 OK\r\n', false], ['HTTP/1.0 200 OK\r\nconnection: x, Keep-Alive\r\n', true]])('%j keeps its connection: %s', (head, kept) => {
    const parser = new AnswerParser();
    read(`${head}content-length: 0\r\nkeep-alive: timeout=7, max=3\r\n\r\n`, undefined, parser);
    expect([parser.keepAlive, parser.idleSeconds]).toEqual([kept, 7]);
  });

  it.each([
    ['two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n'],
    ['a length and chunks', 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n'],
    ['another length', 'HTTP/1.1 200 OK\r\ncontent-length: +1\r\n\r\n'],
    ['another transfer coding', 'HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n'],
    ['a folded header', 'HTTP/1.1 200 OK\r\nx-a: b\r\n c\r\n\r\n'],
    ['a bare line feed', 'HTTP/1.1 200 OK\r\nx-a: b\nx-b: c\r\n\r\n'],
    ['a blank before the colon', 'HTTP/1.1 200 OK\r\nx-a : b\r\n\r\n'],
    ['a null byte', 'HTTP/1.1 200 OK\r\nx-a: b\0\r\n\r\n'],
    ['another protocol', 'SSH-2.0-OpenSSH\r\n\r\n'],
    ['HTTP/2', 'HTTP/2 200\r\n\r\n'],
    ['a switch of protocols', 'HTTP/1.1 101 Switching\r\nupgrade: x\r\n\r\n'],
    ['a chunk of another length', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nabc\r\n'],
    ['a chunk size that is no number', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n-1\r\n'],
  ])('with %s is refused', (_what, text) => {
    expect(fault(text)).toBe('PROTOCOL');
  });

  it('with a head or trailers without end is refused', () => {
    expect(fault(`HTTP/1.1 200 OK\r\nx-a: ${'a'.repeat(17 * 1024)}`)).toBe('TOO_LARGE');
    expect(fault(`HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n${'x-a: b\r\n'.repeat(3000)}`)).toBe('PROTOCOL');
  });
});
