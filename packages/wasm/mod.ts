/**
 * The CPU device of Espalier: kernel IR to WebAssembly SIMD.
 *
 * @module
 */
export { layer } from "./device.ts"
export type { WasmOptions } from "./device.ts"
