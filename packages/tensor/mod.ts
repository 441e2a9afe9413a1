/**
 * Immutable tensors, gradients and programs; the kernel IR that every device reads; and an `f64`
 * interpreter that defines what programs mean.
 *
 * @module
 */
export { byteSize, DType } from "./dtype.ts"
export type { HostData } from "./dtype.ts"
export * as HostArray from "./host_array.ts"
export { Device } from "./device.ts"
export type {
  DeviceBuffer,
  DeviceInfo,
  DeviceService,
  DeviceStatistics,
  Executable,
} from "./device.ts"
export * as DeviceArray from "./device_array.ts"
export * from "./errors.ts"
export * as Grad from "./gradient.ts"
export { sha256 } from "./hash.ts"
export * as Interpreter from "./interpreter.ts"
export * as Ir from "./ir/mod.ts"
export { operations } from "./ops/table.ts"
export type { Example, ExampleInput, Lowering, Operation } from "./ops/operation.ts"
export * as Kernel from "./custom_kernel.ts"
export { LinearAlgebra } from "./linear_algebra.ts"
export type { LinearAlgebraService } from "./linear_algebra.ts"
export * as Matrix from "./matrix.ts"
export * as Program from "./program.ts"
export { Scalar, Spec } from "./program.ts"
export * as Random from "./random.ts"
export type { Shape } from "./shape.ts"
export * as Tensor from "./tensor_functions.ts"
export * as Tree from "./tree.ts"
export type { WasmBound, WasmCode, WasmKit, WasmStage, WasmStageKit } from "./kernel/wasm_abi.ts"
export type { WgslCode, WgslTarget } from "./kernel/wgsl_abi.ts"
export { transposeLanes } from "./kernel/wasm_lanes.ts"
export * as WasmParts from "./kernel/wasm_parts.ts"
export * as WasmEncoder from "./kernel/wasm_encoder.ts"
export * as WgslBuilder from "./kernel/wgsl.ts"
