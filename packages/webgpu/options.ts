import type { Strategy } from "./templates/strategy.ts"

/** How {@link layer} chooses an adapter and what it does with it. */
export interface WebGpuOptions {
  /**
   * GPU drivers that run on the CPU: `"allow"` takes one where there is nothing better (the
   * default), `false` refuses them, `true` takes nothing else (for tests).
   */
  readonly software?: boolean | "allow"
  /** Which GPU of several. Default: `"high-performance"`. */
  readonly powerPreference?: "low-power" | "high-performance"
  /** Fills memory with NaN before it is used, so that reading what was never written shows. */
  readonly poison?: boolean
  /** Is given the device when it is there: to share it with a renderer, or to lose it in a test. */
  readonly onDevice?: (device: GPUDevice) => void
  /**
   * Where to keep generated WGSL and what tuning found, for the next process. Nothing is kept by
   * default. Node only.
   */
  readonly cacheDirectory?: string
  /**
   * Measures a few kernels on this very adapter (some seconds) and prefers what is fastest to what
   * the table says. With a {@link cacheDirectory} that happens once.
   */
  readonly tune?: boolean
  /** Kernels other than those that suit the adapter, for tests and measurements. */
  readonly override?: Partial<Strategy>
}
