import { posix } from "node:path"
import type { Problem } from "./problem.ts"
import type { Repository } from "./repository.ts"

/** A link of a paper.md to where something is defined: [`name`](file.ts#L12). */
const link = /\[`(\w+)`\]\(([^)#]+\.ts)(?:#L(\d+))?\)/g

/** Near enough to land on the definition: not every edit above it moves every link. */
const nearby = 20

/** The lines on which a name is defined, from 1: at the top of a file, or as a part of something there. */
const linesOf = (text: string, name: string): ReadonlyArray<number> => {
  const definition = new RegExp(
    `^\\s*(?:export )?(?:(?:const|class|interface|type) ${name}\\b|${name}(?:<.*>)?[:(])`,
  )
  return text.split("\n").flatMap((line, index) => (definition.test(line) ? [index + 1] : []))
}

const whyNot = (
  repository: Repository,
  target: string,
  name: string,
  line: string | undefined,
): string | undefined => {
  if (!repository.has(target)) return `there is no ${target}`
  const found = linesOf(repository.read(target), name)
  if (found.length === 0) return `${target} defines no ${name}`
  const isNear = found.some((at) => Math.abs(Number(line) - at) <= nearby)
  return isNear ? undefined : `${name} is at ${target}#L${found[0]}`
}

const checkPaper = (repository: Repository, file: string): ReadonlyArray<Problem> =>
  repository
    .read(file)
    .split("\n")
    .flatMap((text, index) =>
      [...text.matchAll(link)].flatMap(([, name, path, line]) => {
        const target = posix.join(posix.dirname(file), path)
        const message = whyNot(repository, target, name, line)
        return message === undefined ? [] : [{ file, line: index + 1, message }]
      }),
    )

/** Looks whether the links of each paper.md lead to the definitions that they name, or close by. */
export const checkPaperLinks = (repository: Repository): ReadonlyArray<Problem> =>
  repository.packages
    .map(({ folder }) => `${folder}/paper.md`)
    .filter((file) => repository.has(file))
    .flatMap((file) => checkPaper(repository, file))
