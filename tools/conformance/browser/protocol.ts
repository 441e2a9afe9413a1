/** What the page is asked to run. */
export interface BrowserRun {
  readonly device: "wasm" | "webgpu"
  /** Of the wasm device. */
  readonly threads: number
  readonly seed: number
  /** Examples of each row of the op table. */
  readonly examples: number
  readonly graphs: number
  readonly repeat: string
}

/** What it answers. */
export interface BrowserResult {
  readonly adapter: string
  /** Shared memory may be used: the server's headers arrived. */
  readonly isolated: boolean
  readonly cases: number
  readonly graphs: number
  readonly loss: number
  /** Names the bits of a training run that is large enough to be shared between threads. */
  readonly bits: string
  /** Bytes the device holds more than before. */
  readonly leaked: number
  readonly seconds: number
}

/** What the page puts into its global scope. */
export interface PageFunctions {
  readonly conformance: (run: BrowserRun) => Promise<BrowserResult | { readonly problem: string }>
  readonly adapter: () => Promise<string | undefined>
}
