import { EgressError } from './errors.js';

/** Headers by lower-case name; one that came several times is a list. */
export type Headers = Record<string, string | string[] | undefined>;

/** Who hears of an answer as it arrives. */
export interface AnswerSink {
  head(status: number, headers: Headers): void;
  data(bytes: Buffer): void;
}

type State = 'HEAD' | 'LENGTH' | 'CHUNK_SIZE' | 'CHUNK' | 'CHUNK_END' | 'TRAILERS' | 'UNTIL_CLOSE' | 'DONE';

/** As Node's own client has it. Chunk sizes and trailers, which nobody reads, count alike. */
const MAX_HEAD_BYTES = 16 * 1024;
const MAX_CHUNK_LINE_BYTES = 1024;
const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: |$)/;
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const NOT_A_VALUE = /[^\t\x20-\x7e\x80-\uffff]/;
const CHUNK_SIZE = /^([0-9a-fA-F]{1,12})[ \t]*(?:;.*)?$/;
const LENGTH = /^\d{1,15}$/;
const KEEP_ALIVE_TIMEOUT = /(?:^|[\s,])timeout\s*=\s*(\d{1,6})/i;

/**
 * Reads the answers of one HTTP/1.1 connection, one after another. Strict: what two readers could understand differently (two lengths, a length and chunks, folded headers, bare line feeds) is refused, since
 * a connection is used again and the next answer must not begin in the middle of this one.
 * https://www.rfc-editor.org/rfc/rfc9112
 */
export class AnswerParser {
  #state: State = 'HEAD';
  /** The beginning of a head or line whose end hasn't come yet. */
  #pending: Buffer | null = null;
  #left = 0;
  #trailerBytes = 0;
  #keepAlive = true;
  #idleSeconds: number | null = null;

  /** Whether the connection may be used again after this answer, as far as the server says. */
  get keepAlive(): boolean {
    return this.#keepAlive;
  }

  /** How long the server says that it keeps an idle connection, in seconds. */
  get idleSeconds(): number | null {
    return this.#idleSeconds;
  }

  /** Whether nothing of an answer has come yet. */
  get fresh(): boolean {
    return this.#state === 'HEAD' && this.#pending === null;
  }

  /** Makes it ready for the next answer. */
  reset(): void {
    this.#state = 'HEAD';
    this.#keepAlive = true;
    this.#idleSeconds = null;
    this.#trailerBytes = 0;
  }

  /**
   * Takes bytes from the connection. Null while the answer isn't complete; then how many bytes were left over.
   * @throws {EgressError} `PROTOCOL`, `TOO_LARGE` (the head)
   */
  push(chunk: Buffer, sink: AnswerSink): number | null {
    const bytes = this.#pending === null ? chunk : Buffer.concat([this.#pending, chunk]);
    this.#pending = null;
    let at = 0;
    while (this.#state !== 'DONE') {
      const next = this.#step(bytes, at, sink);
      if (next === null) return null;
      at = next;
    }
    return bytes.length - at;
  }

  /** The connection has ended. Whether that completes the answer. */
  end(): boolean {
    return this.#state === 'UNTIL_CLOSE';
  }

  /** Where the next step begins; null where more bytes are needed. */
  #step(bytes: Buffer, at: number, sink: AnswerSink): number | null {
    switch (this.#state) {
      case 'HEAD': return this.#head(bytes, at, sink);
      case 'LENGTH':
      case 'CHUNK': return this.#counted(bytes, at, sink);
      case 'UNTIL_CLOSE':
        if (at < bytes.length) sink.data(bytes.subarray(at));
        return null;
      default: return this.#line(bytes, at);
    }
  }

  #head(bytes: Buffer, at: number, sink: AnswerSink): number | null {
    if (bytes.length - at >= 5 && bytes.toString('latin1', at, at + 5) !== 'HTTP/') throw malformed('no HTTP');
    const end = bytes.indexOf('\r\n\r\n', at, 'latin1');
    if ((end < 0 ? bytes.length : end) - at > MAX_HEAD_BYTES) throw new EgressError('TOO_LARGE', 'the head of the answer is too large', { sent: 'MAYBE' });
    if (end < 0) {
      if (at < bytes.length) this.#pending = bytes.subarray(at);
      return null;
    }
    const [statusLine, ...lines] = bytes.toString('utf8', at, end).split('\r\n');
    const [, minor, digits] = STATUS_LINE.exec(statusLine!) ?? [];
    if (digits === undefined || NOT_A_VALUE.test(statusLine!)) throw malformed('the status line');
    const status = Number(digits);
    const headers = headersOf(lines);
    if (status === 101) throw malformed('a switch of protocols that nobody asked for');
    if (status >= 200) this.#begin(status, headers, minor === '1');
    sink.head(status, headers);
    return end + 4;
  }

  /** How the body is framed: https://www.rfc-editor.org/rfc/rfc9112#section-6.3 */
  #begin(status: number, headers: Headers, persistent: boolean): void {
    const { 'content-length': length, 'transfer-encoding': coding, connection } = headers;
    this.#keepAlive = !names(connection, 'close') && (persistent || names(connection, 'keep-alive'));
    const idle = headers['keep-alive'] === undefined ? undefined : KEEP_ALIVE_TIMEOUT.exec(String(headers['keep-alive']))?.[1];
    this.#idleSeconds = idle === undefined ? null : Number(idle);
    if (length !== undefined && (typeof length !== 'string' || !LENGTH.test(length) || coding !== undefined)) throw malformed('the length of the body');
    if (coding !== undefined && (typeof coding !== 'string' || coding.toLowerCase() !== 'chunked')) throw malformed('the transfer coding');
    if (status === 204 || status === 304) this.#state = 'DONE';
    else if (coding !== undefined) this.#state = 'CHUNK_SIZE';
    else if (length === undefined) this.#state = 'UNTIL_CLOSE';
    else {
      this.#left = Number(length);
      this.#state = this.#left === 0 ? 'DONE' : 'LENGTH';
    }
  }

  #counted(bytes: Buffer, at: number, sink: AnswerSink): number | null {
    const end = Math.min(bytes.length, at + this.#left);
    if (end > at) sink.data(at === 0 && end === bytes.length ? bytes : bytes.subarray(at, end));
    this.#left -= end - at;
    if (this.#left > 0) return null;
    this.#state = this.#state === 'LENGTH' ? 'DONE' : 'CHUNK_END';
    return end;
  }

  /** The lines around chunks: https://www.rfc-editor.org/rfc/rfc9112#section-7.1 */
  #line(bytes: Buffer, at: number): number | null {
    const end = bytes.indexOf('\r\n', at, 'latin1');
    if ((end < 0 ? bytes.length : end) - at > MAX_CHUNK_LINE_BYTES) throw malformed('a line between chunks');
    if (end < 0) {
      if (at < bytes.length) this.#pending = bytes.subarray(at);
      return null;
    }
    const line = bytes.toString('latin1', at, end);
    if (this.#state === 'CHUNK_SIZE') {
      const size = CHUNK_SIZE.exec(line)?.[1];
      if (size === undefined || NOT_A_VALUE.test(line)) throw malformed('the size of a chunk');
      this.#left = Number.parseInt(size, 16);
      this.#state = this.#left === 0 ? 'TRAILERS' : 'CHUNK';
    } else if (this.#state === 'CHUNK_END') {
      if (line !== '') throw malformed('the end of a chunk');
      this.#state = 'CHUNK_SIZE';
    } else {
      this.#trailerBytes += line.length + 2;
      if (this.#trailerBytes > MAX_HEAD_BYTES) throw malformed('the trailers');
      if (line === '') this.#state = 'DONE';
    }
    return end + 2;
  }
}

/** Whether a list of options has this one. */
function names(list: string | string[] | undefined, option: string): boolean {
  return list !== undefined && (list === option || String(list).toLowerCase().split(',').some((each) => each.trim() === option));
}

function headersOf(lines: readonly string[]): Headers {
  const headers: Headers = {};
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(0, colon));
    const value = trimmed(line, colon + 1);
    if (!TOKEN.test(name) || NOT_A_VALUE.test(value)) throw malformed('a header');
    const key = name.toLowerCase();
    const earlier = headers[key];
    headers[key] = earlier === undefined ? value : [earlier, value].flat();
  }
  return headers;
}

/** Without the blanks and tabs around it. */
function trimmed(line: string, from: number): string {
  let start = from;
  let end = line.length;
  while (start < end && isBlank(line.charCodeAt(start))) start += 1;
  while (end > start && isBlank(line.charCodeAt(end - 1))) end -= 1;
  return line.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

function malformed(what: string): EgressError {
  return new EgressError('PROTOCOL', `malformed: ${what}`, { sent: 'MAYBE' });
}
