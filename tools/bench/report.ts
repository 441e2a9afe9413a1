import { cellsOf } from "./console_table.ts"
import type { Machine } from "./machine.ts"
import type { Measured } from "./outcome.ts"
import type { BenchResult, CaseResult } from "./result.ts"
import type { Verdict } from "./targets.ts"

const escape = (text: string): string => text.replaceAll("|", "\\|").replaceAll(/\s*\n\s*/g, " ")

const row = (cells: ReadonlyArray<string>): string => `| ${cells.map(escape).join(" | ")} |`

const table = (head: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string =>
  [row(head), `|${"---|".repeat(head.length)}`, ...rows.map(row)].join("\n")

/** More than this many waiting processes before the start make the numbers doubtful. */
const quietLoad = 0.5

const describe = (machine: Machine): string => {
  const { processor, cores, memoryBytes, system, node, v8, date, loadBefore } = machine
  const gigabytes = Math.round(memoryBytes / 2 ** 30)
  const busy =
    loadBefore > quietLoad
      ? ` **The machine was busy** (load ${loadBefore.toFixed(2)} before the first case): ratios hold better than times.`
      : ""
  return `Measured on ${date}: ${processor}, ${cores} cores, ${gigabytes} GiB, ${system}, Node ${node} (V8 ${v8}).${busy}`
}

/** Part of the name of an adapter that is a GPU driver on the CPU. */
export const softwareAdapter = "(software)"

/**
 * Where the page of a run of all cases belongs; nowhere if its sizes are not those of the targets, or
 * if the GPU was none.
 */
export const pageOf = ({ device, quick, cases }: BenchResult): string | undefined => {
  if (quick) return undefined
  if (device === "wasm") return "docs/performance.md"
  const software = versionsOf(cases).some((line) => line.includes(softwareAdapter))
  return software ? undefined : "docs/performance-gpu.md"
}

/** Every engine that gave a number, in its own words. */
const versionsOf = (cases: ReadonlyArray<CaseResult>): ReadonlyArray<string> => {
  const measured = cases.flatMap(({ outcomes }) =>
    outcomes.filter((outcome): outcome is Measured => outcome.state === "measured"),
  )
  const lines = measured.map(({ contestant, versions }) => `- ${contestant.title}: ${versions}`)
  return [...new Set(lines)].toSorted()
}

const mark = ({ met }: Verdict): string => (met === undefined ? "–" : met ? "yes" : "**no**")

const targetsTable = (cases: ReadonlyArray<CaseResult>): string =>
  table(
    ["case", "target", "measured", "met"],
    cases.flatMap(({ case: { name }, verdicts }) =>
      verdicts.map((verdict) => [name, verdict.target, verdict.measured, mark(verdict)]),
    ),
  )

const caseSection = ({ case: each, outcomes }: CaseResult): string => {
  const rows = outcomes.map((outcome) => {
    const cells = cellsOf(each, outcome)
    return [...cells, ...Array.from({ length: 5 - cells.length }, () => "")]
  })
  const head = ["", "median", "smallest – largest", "rate", "peak memory"]
  const checked = each.tolerance === 0 ? "exactly" : `within ${each.tolerance}`
  return `### ${each.name}\n\n${each.title}. Results agree with the reference ${checked}.\n\n${table(head, rows)}`
}

/** The page of a run: facts, targets, one table a case, how to repeat it, and the notes. */
export const performancePage = (result: BenchResult, notes: string): string => {
  const { device, machine, cases } = result
  const gpu = device === "webgpu"
  return `# Performance${gpu ? " on a GPU" : ""}

Written by \`pnpm run bench${gpu ? " --device webgpu" : ""}\`; edit \`tools/bench/notes.md\` and the cases, not this page.

${describe(machine)}

Every contestant runs in a process of its own. Its result is compared with a reference in \`f64\` before anything is timed; who is wrong gets no number. Then the contestants take turns, round by round in rotating order, and the table shows the median, the smallest and the largest time of an iteration. In targets, the better number of threads of each engine counts. tfjs and jax-js thread in browsers only; "lent threads" are a browser's workers lent to them in Node, shown beside what they do as installed.

## Targets

${targetsTable(cases)}

## Cases

${cases.map(caseSection).join("\n\n")}

## Versions

${versionsOf(cases).join("\n")}

## How to repeat it

\`\`\`sh
pnpm install
pnpm run bench${gpu ? " --device webgpu" : ""}            # everything, and writes this page
pnpm run bench matmul decode   # some cases, printed only
\`\`\`

PyTorch is used where \`python3\`, \`/usr/bin/python3\` or \`ESPALIER_PYTHON\` can import it, the model of the decoding case is looked for in \`ESPALIER_DATA\`, and llama2.c takes part where \`LLAMA2C_SOURCE\` names its \`run.c\`.

${notes.trim()}
`
}
