import type { Measured } from "./measure.ts"

/** The machine and the moment. */
export interface Circumstances {
  readonly date: string
  readonly seed: number
  readonly machine: string
  /** Devices that this machine lacks, and why. */
  readonly missing: ReadonlyArray<string>
}

const number = (value: number): string => value.toLocaleString("en-US")
const time = (seconds: number): string =>
  seconds < 100 ? `${seconds.toFixed(0)} s` : `${(seconds / 60).toFixed(1)} min`
const exponent = (value: number): string => (value === 0 ? "0" : value.toExponential(1))

const table = (rows: ReadonlyArray<ReadonlyArray<string>>): ReadonlyArray<string> => {
  const line = (cells: ReadonlyArray<string>) => `| ${cells.join(" | ")} |`
  return [line(rows[0]), line(rows[0].map(() => "---")), ...rows.slice(1).map(line)]
}

const graphsText = ({ graphs, wanted, graphSeconds }: Measured): string =>
  graphs.graphs === wanted
    ? number(wanted)
    : `${number(graphs.graphs)} of ${number(wanted)}, what fits in ${time(graphSeconds)}`

const share = ({ graphs }: Measured): string =>
  graphs.elements === 0 ? "–" : `${((100 * graphs.checked) / graphs.elements).toFixed(1)} %`

const worstText = (measured: Measured, name: string): string => {
  const row = measured.rows.find((one) => one.name === name)
  if (row === undefined) return "–"
  return row.problem === undefined ? exponent(row.worst ?? 0) : "**fails**"
}

const summary = (all: ReadonlyArray<Measured>): ReadonlyArray<string> =>
  table([
    [
      "Device",
      "Adapter",
      "Random graphs",
      "Kernels",
      "Values compared",
      "Within narrow bounds",
      "Updates in place",
      "Other programs",
      "Failures",
      "Time",
    ],
    ...all.map((one) => [
      one.device,
      one.adapter,
      graphsText(one),
      number(one.graphs.kernels),
      number(one.graphs.elements),
      share(one),
      number(one.graphs.inPlace),
      number(one.others),
      String(one.problems.length),
      time(one.seconds),
    ]),
  ])

const operations = (all: ReadonlyArray<Measured>): ReadonlyArray<string> => {
  const names = [...new Set(all.flatMap(({ rows }) => rows.map(({ name }) => name)))]
  return table([
    ["Operation", "Allowed", ...all.map(({ device }) => device)],
    ...names.map((name) => {
      const row = all.flatMap(({ rows }) => rows).find((one) => one.name === name)
      return [
        `\`${name}\``,
        exponent(row?.tolerance ?? 0),
        ...all.map((one) => worstText(one, name)),
      ]
    }),
  ])
}

/** The page: what was run where, and how far the results were off. */
export const report = (
  all: ReadonlyArray<Measured>,
  { date, seed, machine, missing }: Circumstances,
): string => {
  const failures = all.flatMap(({ device, problems }) =>
    problems.map((problem) => `### On ${device}\n\n\`\`\`text\n${problem}\n\`\`\`\n`),
  )
  return [
    "# Conformance",
    "",
    "Every device has to compute what the references of the op table say. This page is written by",
    "`pnpm run conformance`; the tests of each device package run the same on less.",
    "",
    `${date} (UTC), seed ${seed}, ${machine}.`,
    "",
    ...summary(all),
    ...missing.map((line) => `\n${line}`),
    "",
    "A random graph is traced, compiled and run four times in recycled memory that is filled with NaN",
    "first: with arrays of the host, twice with inputs of which half are given away, and once more. The",
    "first run is compared with the references, evaluated one operation at a time in f64, within bounds",
    "that follow from the tolerances of the rows; the others have to give the same bits. A bound is",
    "narrow where it is below 1 % of the largest value, or where nothing but equality will do. Every",
    "fourth graph is differentiated. Arrays without elements do not exist: an extent of 0 is refused",
    "when a tensor is made, with a `ShapeError`.",
    "",
    "## Operations",
    "",
    "The largest error of each row of the op table, relative to the largest value, over its own examples",
    "and over extents of 1, 63, 64 and 65 with operands that are permuted, sliced, repeated and reversed",
    "views of larger arrays. 0 means the same bits as the reference, rounded to f32.",
    "",
    ...operations(all),
    "",
    ...(failures.length === 0 ? [] : ["## Failures", "", ...failures]),
  ].join("\n")
}
