import { parseArgs } from "node:util"
import type { DeviceName } from "./contestants.ts"

export interface Options {
  /** Cases by name or by the beginning of a name; all where there are none. */
  readonly cases: ReadonlyArray<string>
  readonly json: string | undefined
  readonly device: DeviceName
  readonly list: boolean
  readonly quick: boolean
}

export const usage = `usage: pnpm run bench [case…] [--json FILE] [--device wasm|webgpu] [--list] [--quick]

  case      a name, or the beginning of several: matmul, lm-train; everything without one
  --json    writes the results to a file
  --device  where our engine runs; wasm by default. With webgpu, PyTorch runs on CUDA
  --list    the names of the cases
  --quick   small sizes and few rounds: shows that everything works, the numbers mean nothing`

const isDevice = (text: string): text is DeviceName => text === "wasm" || text === "webgpu"

/** What a command line asks for, or what is wrong with it. */
export const readCommandLine = (
  words: ReadonlyArray<string>,
): Options | { readonly problem: string } => {
  try {
    const { values, positionals } = parseArgs({
      args: words.filter((word) => word !== "--"),
      allowPositionals: true,
      options: {
        json: { type: "string" },
        device: { type: "string", default: "wasm" },
        list: { type: "boolean", default: false },
        quick: { type: "boolean", default: false },
      },
    })
    const { device, list, quick, json } = values
    if (!isDevice(device)) return { problem: `there is no device "${device}"` }
    return { cases: positionals, json, device, list, quick }
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) }
  }
}

/** The cases that a command line names, or the name that fits none. */
export const selectCases = <A extends { readonly name: string }>(
  all: ReadonlyArray<A>,
  wanted: ReadonlyArray<string>,
): ReadonlyArray<A> | { readonly problem: string } => {
  const unknown = wanted.find((name) => !all.some((each) => each.name.startsWith(name)))
  if (unknown !== undefined) {
    const names = all.map(({ name }) => name).join(", ")
    return { problem: `there is no case "${unknown}"; there are ${names}` }
  }
  if (wanted.length === 0) return all
  // Whoever names a case in full does not mean those that go on after it.
  const exact = new Set(all.map(({ name }) => name))
  return all.filter(({ name }) =>
    wanted.some((each) => (exact.has(each) ? name === each : name.startsWith(each))),
  )
}
