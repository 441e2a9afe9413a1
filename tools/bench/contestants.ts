import { availableParallelism } from "node:os"
import { join } from "node:path"
import type { Case } from "./case.ts"
import type { Command } from "./child.ts"
import type { EngineName } from "./engines.ts"
import { engineTitles } from "./engines.ts"

export type DeviceName = "wasm" | "webgpu"

/** One engine with one number of threads. */
export interface Contestant {
  readonly engine: EngineName
  readonly threads: number
  readonly title: string
  /** Ours with empty kernels. */
  readonly hostOnly?: boolean
  /** With a browser's workers, which it does not have in Node: shown, but no target is about it. */
  readonly lent?: boolean
  /** PyTorch's threads sleep while they wait: slower to wake, but no burden to one another. */
  readonly passive?: boolean
}

/** Threads of the contestants that use more than one. */
const allThreads = Math.min(4, availableParallelism())

const counts = allThreads === 1 ? [1] : [1, allThreads]

const plural = (count: number): string => `${count} thread${count === 1 ? "" : "s"}`

const contestant = (engine: EngineName, threads: number, detail = plural(threads)): Contestant => ({
  engine,
  threads,
  title: `${engineTitles[engine]}, ${detail}`,
})

/** A library that threads in browsers only: as installed, and with workers lent to it. */
const ofBrowsers = (engine: EngineName): ReadonlyArray<Contestant> => [
  contestant(engine, 1),
  ...(allThreads === 1
    ? []
    : [{ ...contestant(engine, allThreads, `${allThreads} lent threads`), lent: true }]),
]

/** With several threads, OpenMP's two ways to wait: which is better depends on the case. */
const ofTorch = (): ReadonlyArray<Contestant> => [
  ...counts.map((threads) => contestant("torch", threads)),
  ...(allThreads === 1
    ? []
    : [{ ...contestant("torch", allThreads, `${plural(allThreads)}, passive`), passive: true }]),
]

/** Who takes part in a case on the CPU. */
const onProcessor = (each: Case): ReadonlyArray<Contestant> => {
  const { plain, tfjs, jax, onnxruntime, torch, llama2c } = each.implementations
  const own = each.singleThread === true ? [1] : counts
  const hostOnly = { ...contestant("ours", 1, "1 thread, empty kernels"), hostOnly: true }
  return [
    ...own.map((threads) => contestant("ours", threads)),
    ...(plain === undefined ? [] : own.map((threads) => contestant("plain", threads))),
    ...(each.hostOverhead === true ? [hostOnly] : []),
    ...(tfjs === undefined ? [] : ofBrowsers("tfjs")),
    ...(jax === undefined ? [] : ofBrowsers("jax")),
    ...(onnxruntime === undefined ? [] : [contestant("onnxruntime", allThreads)]),
    ...(torch === undefined ? [] : ofTorch()),
    ...(llama2c === undefined ? [] : [contestant("llama2c", 1)]),
  ]
}

/** Who takes part in a case on a GPU. */
const onGpu = ({ implementations }: Case): ReadonlyArray<Contestant> => [
  contestant("ours", 1, "webgpu"),
  ...(implementations.plain === undefined ? [] : [contestant("plain", 1, "webgpu")]),
  ...(implementations.torch === undefined ? [] : [contestant("torch", 1, "cuda")]),
]

export const contestantsOf = (each: Case, device: DeviceName): ReadonlyArray<Contestant> =>
  device === "wasm" ? onProcessor(each) : onGpu(each)

/** How the process of a contestant is started. `python` is one that has PyTorch. */
export const commandOf = (
  { engine, threads, hostOnly, lent, passive }: Contestant,
  device: DeviceName,
  python: string,
): Command => {
  if (engine === "torch") {
    const file = join(import.meta.dirname, "python", "contestant.py")
    const where = device === "webgpu" ? "cuda" : "cpu"
    return {
      file: python,
      arguments: [file, "--threads", String(threads), "--device", where],
      environment: {
        OMP_NUM_THREADS: String(threads),
        OPENBLAS_NUM_THREADS: String(threads),
        ...(passive === true ? { OMP_WAIT_POLICY: "passive" } : {}),
      },
    }
  }
  const name = engine === "plain" ? "ours" : engine
  const file = join(import.meta.dirname, "contestants", `${name}.ts`)
  return {
    file: process.execPath,
    arguments: [
      "--conditions=@espalier/source",
      file,
      "--threads",
      String(threads),
      "--device",
      device,
      ...(engine === "plain" ? ["--plain"] : []),
      ...(hostOnly === true ? ["--empty-kernels"] : []),
      ...(lent === true ? ["--lend-workers"] : []),
    ],
  }
}
