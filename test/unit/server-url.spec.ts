import { describe, expect, it } from '@jest/globals';
import { serverUrl } from '#core/connection/spec.js';

describe('The URL of a server', () => {
  it.each([['a line break', 'http://mcp.example.com/mcp\r\nX: y'], ['a tab', 'https://mcp.exa\tmple.com/mcp'], ['a null byte', 'https://mcp.example.com/\0mcp']])(
    'is refused with %s inside, instead of becoming another URL than was entered', (_what, text) => {
      const parsed = serverUrl.safeParse(text);
      expect(parsed.error?.issues.map((issue) => issue.message)).toEqual(['A server URL has no line breaks, tabs or other control characters.']);
    });

  it('may have white space around it, as pasting leaves it', () => {
    expect(serverUrl.parse(' https://mcp.example.com/mcp\n')).toBe('https://mcp.example.com/mcp');
  });
});
