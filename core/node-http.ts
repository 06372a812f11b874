/**
 * Of `node:http`, what we use at run time. Not by `import`: that reads whatever a built-in module exports, and the `WebSocket` among it brings along all of Node's own
 * undici, ten mebibytes of memory that nothing here needs.
 */
export const { createServer, STATUS_CODES } = process.getBuiltinModule('node:http');
