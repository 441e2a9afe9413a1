import { readFileSync, renameSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Case } from "./case.ts"
import { allCases } from "./cases/all.ts"
import type { Options } from "./command_line.ts"
import { readCommandLine, selectCases, usage } from "./command_line.ts"
import { consoleTable } from "./console_table.ts"
import type { Contestant } from "./contestants.ts"
import { commandOf, contestantsOf } from "./contestants.ts"
import { describeMachine } from "./machine.ts"
import { fullPace, measure, quickPace } from "./measure.ts"
import { findPython } from "./python.ts"
import { pageOf, performancePage } from "./report.ts"
import type { BenchResult, CaseResult } from "./result.ts"
import { ownFailures, toJson } from "./result.ts"
import { gpuTargets, judge } from "./targets.ts"

// `pnpm run bench`: see README.md.

const root = join(import.meta.dirname, "../..")

function refuse(problem: string): never {
  console.error(`bench: ${problem}\n\n${usage}`)
  process.exit(2)
}

/** Written beside and renamed, so that a broken run leaves no half file. */
const write = (file: string, text: string): void => {
  writeFileSync(`${file}.tmp`, text)
  renameSync(`${file}.tmp`, file)
  console.log(`wrote ${file}`)
}

const bench = async (
  chosen: ReadonlyArray<Case>,
  { quick, device }: Options,
): Promise<BenchResult> => {
  const machine = describeMachine()
  const found = findPython()
  const command = (contestant: Contestant) => {
    if (contestant.engine === "torch" && "why" in found) return found
    return commandOf(contestant, device, "python" in found ? found.python : "")
  }
  const setting = { pace: quick ? quickPace : fullPace, quick, commandOf: command }
  const cases: Array<CaseResult> = []
  for (const each of chosen) {
    const outcomes = await measure(each, contestantsOf(each, device), setting)
    const { work } = each
    const targets = device === "webgpu" ? gpuTargets(each.targets) : each.targets
    const verdicts = quick ? [] : targets.map((target) => judge(target, outcomes, work?.amount))
    console.log(consoleTable(each, outcomes, verdicts))
    cases.push({ case: each, outcomes, verdicts })
  }
  return { device, quick, machine, cases }
}

const options = readCommandLine(process.argv.slice(2))
if ("problem" in options) refuse(options.problem)
const all = allCases(options.quick ? "quick" : "full")
const chosen = selectCases(all, options.cases)
if ("problem" in chosen) refuse(chosen.problem)
if (options.list) {
  for (const { name, title } of chosen) console.log(`${name}: ${title}`)
} else {
  const result = await bench(chosen, options)
  if (options.json !== undefined) write(options.json, toJson(result))
  const failures = ownFailures(result.cases)
  const page = chosen.length === all.length ? pageOf(result) : undefined
  if (failures.length > 0) {
    const unwritten = page === undefined ? "" : `; ${page} is left as it was`
    console.error(`bench: our own engine was wrong or failed in ${failures.join(", ")}${unwritten}`)
    process.exitCode = 1
  } else if (page !== undefined) {
    const notes = readFileSync(join(import.meta.dirname, "notes.md"), "utf8")
    write(join(root, page), performancePage(result, notes))
  }
}
