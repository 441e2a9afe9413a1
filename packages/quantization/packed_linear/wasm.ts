import type { WasmCode } from "@espalier/tensor"
import type { PackedSizes } from "./sizes.ts"
import { multiplyFewRows } from "./wasm_few_rows.ts"
import { mostRows } from "./wasm_few_rows_plan.ts"
import { multiplyManyRows } from "./wasm_many_rows.ts"

/** The product of a packed weight, from x, codes, scales and zero points. */
export const packedWasm = (sizes: PackedSizes, fusedMultiplyAdd: boolean): WasmCode =>
  sizes.rows <= mostRows ? multiplyFewRows(sizes) : multiplyManyRows(sizes, fusedMultiplyAdd)
