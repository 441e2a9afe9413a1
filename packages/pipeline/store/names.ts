/** Whether a name is one of a file of a result: letters, digits, dot, dash, underscore; no folders. */
export const isPlainName = (name: string): boolean => /^[\w-][\w.-]{0,199}$/.test(name)

/** Whether a name is one of a run or of a file of a run: it stays in its folder, and is not hidden. */
export const isRunName = (name: string): boolean => /^[^./\\\0][^/\\\0]{0,199}$/.test(name)
