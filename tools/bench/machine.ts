import { availableParallelism, cpus, loadavg, platform, release, totalmem } from "node:os"

/** Where and when the numbers were measured. */
export interface Machine {
  readonly processor: string
  readonly cores: number
  readonly memoryBytes: number
  readonly system: string
  readonly node: string
  readonly v8: string
  readonly date: string
  /** Processes that wanted to run before the bench began. */
  readonly loadBefore: number
}

export const describeMachine = (): Machine => ({
  processor: cpus()[0]?.model.trim() ?? "unknown",
  cores: availableParallelism(),
  memoryBytes: totalmem(),
  system: `${platform()} ${release()}`,
  node: process.versions.node,
  v8: process.versions.v8,
  date: new Date().toISOString().slice(0, 10),
  loadBefore: loadavg()[0],
})
