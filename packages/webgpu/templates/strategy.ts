/** What is known about an adapter before anything has run on it. */
export interface AdapterFacts {
  /** A driver that runs on the CPU. */
  readonly software: boolean
  /** As in `GPUAdapterInfo.vendor`: `nvidia`, `amd`, `apple`, `intel`, `arm`, `qualcomm`, …. */
  readonly vendor: string
  /** Lanes that every subgroup has, a power of two; 0 where subgroups cannot be used. */
  readonly subgroup: number
  /** Most invocations of a workgroup. */
  readonly maximumInvocations: number
  /** Bytes of workgroup memory. */
  readonly workgroupBytes: number
  /** Bytes of the largest binding. */
  readonly bindingBytes: number
}

/**
 * What the adapter is good at. Barriers and workgroup memory are the fastest choice on hardware
 * and the slowest on a driver that runs on the CPU, so templates choose by this table.
 */
export interface Strategy {
  /** True for a driver that runs on the CPU. */
  readonly software: boolean
  /** Most invocations of a workgroup. */
  readonly maximumInvocations: number
  /** Bytes of workgroup memory a kernel may use. */
  readonly workgroupBytes: number
  /** Bytes of the largest binding: what is longer is split. */
  readonly bindingBytes: number
  /** Lanes that can be counted on in a subgroup; 0 for none. */
  readonly subgroup: number
  /** Invocations a workgroup of plain elementwise kernels. */
  readonly lanes: number
  /** Maps over so many elements take four at a time, where their operands lie that way. */
  readonly vectorElements: number
  /**
   * Matrix products: `tiled` goes through workgroup memory, `broadcast` hands rows around in a
   * subgroup, `registers` does neither.
   */
  readonly contract: "registers" | "broadcast" | "tiled"
  /** Invocations a workgroup of `registers` products. */
  readonly contractLanes: number
  /** Outputs a side that one invocation of a product sums. */
  readonly contractTile: number
  /** The sums of products with fewer outputs are cut in pieces, so that there are so many; 0 for never. */
  readonly splitProduct: number
  /** `serial` gives each output one invocation, `lanes` a workgroup, `auto` whichever suits. */
  readonly reduce: "serial" | "lanes" | "auto"
  /** Invocations that share one output of a `lanes` reduction: a power of two. */
  readonly reduceLanes: number
  /** With fewer outputs than this, `auto` gives each of them a workgroup. */
  readonly reduceOutputs: number
  /** Folds and scans at least so long are cut in pieces, where there are few of them. */
  readonly splitLength: number
  /** How many are few. */
  readonly splitOutputs: number
  /** How many pieces. */
  readonly splitChunks: number
  /** Row kernels: `serial` gives each row one invocation, `lanes` as many as it has work for. */
  readonly rows: "serial" | "lanes"
  /** Invocations a workgroup of row kernels with `lanes`: a power of two. */
  readonly rowLanes: number
  /** Invocations a workgroup of row kernels that are `serial`. */
  readonly rowSerialLanes: number
  /** Row kernels of fewer rows than this are taken apart, unless their rows are short. */
  readonly rowsAtLeast: number
  /** `serial` gives each row of a scan one invocation, `lanes` a workgroup, `auto` by number. */
  readonly scan: "serial" | "lanes" | "auto"
  /** Invocations that share one row of a scan: a power of two. */
  readonly scanLanes: number
  /** Scatters: `walk` has every invocation look through the updates, `lists` shares the looking. */
  readonly scatter: "walk" | "lists"
  /** Up to so many updates are always walked. */
  readonly scatterFew: number
  /** Invocations that `walk` should keep busy. */
  readonly scatterInvocations: number
  /** Most workgroups of `lists`. */
  readonly scatterTiles: number
  /** False where the driver unrolls loops of known length at great expense (seconds a kernel). */
  readonly unroll: boolean
  /** True where invocations that walk rows of their own waste the memory bus. */
  readonly coalesce: boolean
}

type Row = Omit<
  Strategy,
  "software" | "maximumInvocations" | "workgroupBytes" | "bindingBytes" | "subgroup"
>

/** Drivers that run on the CPU: measured on lavapipe (LLVM 15, 256 bits), two cores. */
const software: Row = {
  lanes: 64,
  vectorElements: 2 ** 16,
  contract: "registers",
  contractLanes: 8,
  contractTile: 4,
  splitProduct: 0,
  reduce: "auto",
  reduceLanes: 64,
  reduceOutputs: 16,
  splitLength: 2 ** 16,
  splitOutputs: 16,
  splitChunks: 16,
  rows: "serial",
  rowLanes: 8,
  rowSerialLanes: 8,
  rowsAtLeast: 16,
  scan: "serial",
  scanLanes: 64,
  scatter: "walk",
  scatterFew: 64,
  scatterInvocations: 128,
  scatterTiles: 64,
  unroll: false,
  coalesce: false,
}

/** GPUs: chosen from what their makers document, not measured; `tune` measures. */
const hardware: Row = {
  lanes: 256,
  vectorElements: 2 ** 16,
  contract: "tiled",
  contractLanes: 64,
  contractTile: 4,
  splitProduct: 2 ** 18,
  reduce: "auto",
  reduceLanes: 128,
  reduceOutputs: 1024,
  splitLength: 2 ** 16,
  splitOutputs: 64,
  splitChunks: 256,
  rows: "lanes",
  rowLanes: 256,
  rowSerialLanes: 64,
  rowsAtLeast: 64,
  scan: "auto",
  scanLanes: 256,
  scatter: "lists",
  scatterFew: 64,
  scatterInvocations: 2 ** 15,
  scatterTiles: 512,
  unroll: true,
  coalesce: true,
}

/** What differs from `hardware`, by vendor. */
const vendors: Readonly<Record<string, Partial<Row>>> = {
  // Few, narrow cores: smaller workgroups leave fewer lanes waiting at a barrier.
  intel: { lanes: 128, rowLanes: 128, scanLanes: 128 },
  arm: { lanes: 64, reduceLanes: 64, rowLanes: 64, scanLanes: 64, splitChunks: 64 },
  qualcomm: { lanes: 128, reduceLanes: 64, rowLanes: 128, scanLanes: 128, splitChunks: 64 },
  "img-tec": { lanes: 64, reduceLanes: 64, rowLanes: 64, scanLanes: 64, splitChunks: 64 },
}

/** The table: a row for software drivers, a row for GPUs with what their vendor changes. */
export const strategyFor = (facts: AdapterFacts): Strategy => {
  const row: Row = facts.software
    ? { ...software, contract: facts.subgroup >= 8 ? "broadcast" : "registers" }
    : { ...hardware, ...vendors[facts.vendor] }
  const most = 2 ** Math.floor(Math.log2(facts.maximumInvocations))
  const limited = {
    lanes: Math.min(row.lanes, most),
    reduceLanes: Math.min(row.reduceLanes, most),
    rowLanes: Math.min(row.rowLanes, most),
    scanLanes: Math.min(row.scanLanes, most),
  }
  return { ...facts, ...row, ...limited }
}
