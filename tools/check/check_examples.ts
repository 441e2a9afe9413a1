import { execFileSync } from "node:child_process"
import { mkdirSync, rmSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { basename, dirname, join } from "node:path"
import { pathToFileURL } from "node:url"
import * as effect from "effect"
import { examplesOf, programFolder } from "./examples.ts"
import type { Example } from "./examples.ts"
import type { Problem } from "./problem.ts"
import { report } from "./problem.ts"
import { readRepository, workspaceRoot } from "./repository.ts"

// Runs the `@example` blocks of the documentation comments, all in this process, and checks their
// types. Their programs stay in each package's .examples folder for whoever looks into a failure.

const repository = readRepository(workspaceRoot)
const examples = examplesOf(repository, [
  {
    module: "effect",
    names: new Map(Object.keys(effect).map((name) => [name, { typeOnly: false }])),
    namespaces: true,
  },
])

/** Line of a program that an error points at, as a line of the file the example stands in. */
const lineIn = ({ line, program }: Example, trace: string): number => {
  const at = trace.indexOf(basename(program))
  const found = at === -1 ? undefined : /[:(](\d+)/.exec(trace.slice(at + basename(program).length))
  return found ? line + Number(found[1]) - 1 : line
}

const write = () => {
  for (const { folder } of repository.packages)
    rmSync(join(workspaceRoot, folder, programFolder), { recursive: true, force: true })
  for (const { program, text } of examples) {
    mkdirSync(dirname(join(workspaceRoot, program)), { recursive: true })
    writeFileSync(join(workspaceRoot, program), text)
  }
}

const checkTypes = (): ReadonlyArray<Problem> => {
  const tsc = join(
    dirname(createRequire(import.meta.url).resolve("typescript/package.json")),
    "bin/tsc",
  )
  return [...new Set(examples.map((example) => example.package))].flatMap(({ folder }) => {
    const project = join(workspaceRoot, folder, programFolder, "tsconfig.json")
    const configuration = {
      extends: "../tsconfig.json",
      // An example may name a value for its reader's sake only.
      compilerOptions: { noUnusedLocals: false, noUnusedParameters: false },
      include: ["*.ts"],
      exclude: [],
    }
    writeFileSync(project, JSON.stringify(configuration))
    try {
      execFileSync(process.execPath, [tsc, "-p", project, "--pretty", "false"], {
        cwd: workspaceRoot,
        encoding: "utf8",
        stdio: ["ignore", "pipe", "inherit"],
      })
      return []
    } catch (error) {
      const { stdout } = error as { stdout: string }
      return examples
        .flatMap((example) => {
          const lines = stdout
            .split("\n")
            .filter((line) => line.includes(basename(example.program)))
          return lines.map((line) => ({
            file: example.file,
            line: lineIn(example, line),
            message: `the example does not type-check: ${line.replace(/^.*?: error /, "")}`,
          }))
        })
        .concat(
          examples.some(({ program }) => stdout.includes(basename(program)))
            ? []
            : [{ file: folder, line: 1, message: `the examples do not type-check: ${stdout}` }],
        )
    }
  })
}

const runExample = async (example: Example): Promise<ReadonlyArray<Problem>> => {
  const failures: Array<unknown> = []
  const onFailure = (error: unknown) => void failures.push(error)
  process.on("unhandledRejection", onFailure)
  process.on("uncaughtException", onFailure)
  try {
    await import(pathToFileURL(join(workspaceRoot, example.program)).href)
    // A rejection that nobody handles is reported one turn later.
    await new Promise((resolve) => setImmediate(resolve))
  } catch (error) {
    failures.push(error)
  } finally {
    process.off("unhandledRejection", onFailure)
    process.off("uncaughtException", onFailure)
  }
  return failures.map((error) => {
    const trace = error instanceof Error ? (error.stack ?? error.message) : String(error)
    return {
      file: example.file,
      line: lineIn(example, trace),
      message: `the example fails: ${trace.replace(/\n\s+at [^]*/, "")}`,
    }
  })
}

const run = async (): Promise<ReadonlyArray<Problem>> => {
  const problems: Array<Problem> = []
  const { log } = console
  console.log = () => {}
  // One after another: they share this process, and an error must name its own example.
  for (const example of examples) problems.push(...(await runExample(example)))
  console.log = log
  return problems
}

write()
const problems = [...checkTypes(), ...(await run())]
report(`${examples.length} documentation examples`, problems)
// An example may leave a device open.
process.exit()
