/**
 * The CPU device of Espalier: kernel IR to WebAssembly SIMD.
 *
 * @module
 */
export { layer } from "./layer.ts"
export type { WasmOptions } from "./layer.ts"
export { linearAlgebra } from "./linear_algebra/layer.ts"
export type { LinearAlgebraOptions } from "./linear_algebra/layer.ts"
export { stagesOf } from "./stages_of.ts"
export type { KernelStages } from "./stages_of.ts"
