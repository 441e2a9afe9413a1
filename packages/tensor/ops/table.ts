import { matmulRow } from "./contraction.ts"
import { indexingRows } from "./indexing.ts"
import { movementRows } from "./movement.ts"
import type { Operation } from "./operation.ts"
import { pointwiseRows } from "./pointwise.ts"
import { reductionRows } from "./reduction.ts"
import { cumsumRow } from "./scan.ts"
import { sourceRows } from "./source.ts"

/**
 * The op table: one row an operation. Conformance tests, gradient checks and the documentation are
 * made from it; a new operation is a new row.
 */
export const operations: ReadonlyArray<Operation> = [
  ...sourceRows,
  ...pointwiseRows,
  ...movementRows,
  ...reductionRows,
  matmulRow,
  ...indexingRows,
  cumsumRow,
] as unknown as ReadonlyArray<Operation>
