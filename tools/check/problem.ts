/** Something that breaks a rule, where it is, and what to do. */
export interface Problem {
  readonly file: string
  readonly line: number
  readonly message: string
}

export const printProblem = ({ file, line, message }: Problem): string =>
  `${file}:${line}: ${message}`

/** Prints the problems and leaves the exit status of the process accordingly. */
export const report = (what: string, problems: ReadonlyArray<Problem>): void => {
  for (const problem of problems) console.error(printProblem(problem))
  const count = problems.length
  console.log(count === 0 ? `${what}: ok` : `${what}: ${count} problem${count === 1 ? "" : "s"}`)
  if (count > 0) process.exitCode = 1
}
