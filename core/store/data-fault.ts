/** Whether `error` says that the data itself can't be stored (SQLSTATE classes 22 and 23), so that trying again is of no use. */
export function isDataFault(error: unknown): boolean {
  const code = (error as { code?: unknown }).code;
  return typeof code === 'string' && /^2[23]...$/.test(code);
}
