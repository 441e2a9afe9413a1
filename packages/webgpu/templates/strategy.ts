/**
 * What the adapter is good at. Barriers and workgroup memory are the fastest choice on hardware
 * and the slowest on a driver that runs on the CPU, so templates choose by this table.
 */
export interface Strategy {
  /** Invocations a workgroup of plain elementwise kernels. */
  readonly lanes: number
  /** Maps over so many elements take four at a time, where their operands lie that way. */
  readonly vectorElements: number
  /** `tiled` goes through workgroup memory, `registers` does not. */
  readonly contract: "registers" | "tiled"
  /** Invocations a workgroup of `registers` products. */
  readonly contractLanes: number
  /** `serial` gives each output one invocation, `lanes` a workgroup, `auto` whichever suits. */
  readonly reduce: "serial" | "lanes" | "auto"
  /** Invocations that share one output of a `lanes` reduction: a power of two. */
  readonly reduceLanes: number
  /** With fewer outputs than this, `auto` gives each of them a workgroup. */
  readonly reduceOutputs: number
  /** False where the driver unrolls loops of known length at great expense (seconds a kernel). */
  readonly unroll: boolean
  /** True where invocations that walk rows of their own waste the memory bus. */
  readonly coalesce: boolean
}

/** The table: one row for GPUs, one for software drivers. */
export const strategyFor = (software: boolean, maximumInvocations: number): Strategy =>
  software
    ? {
        lanes: 64,
        vectorElements: 2 ** 16,
        contract: "registers",
        contractLanes: 8,
        reduce: "auto",
        reduceLanes: 64,
        reduceOutputs: 16,
        unroll: false,
        coalesce: false,
      }
    : {
        lanes: Math.min(256, maximumInvocations),
        vectorElements: 2 ** 16,
        contract: "tiled",
        contractLanes: 64,
        reduce: "auto",
        reduceLanes: Math.min(128, maximumInvocations),
        reduceOutputs: 1024,
        unroll: true,
        coalesce: true,
      }
