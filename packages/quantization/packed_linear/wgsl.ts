import type { WgslCode, WgslTarget } from "@espalier/tensor"
import type { PackedSizes } from "./sizes.ts"
import { chunkInputs, tileOutputs } from "./sizes.ts"

/** More rows are better served by unpacking the weight once: `undefined`. */
const mostRows = 4

const workgroup = 64

const mostWorkgroups = 65535

/** A line for each number below `count`. */
const repeat = (count: number, line: (index: number) => string): string =>
  Array.from({ length: count }, (_, index) => line(index)).join("\n")

/** Adds what the invocations of a workgroup have for an output into what the first of them has. */
const share = (rows: number, parts: number): string => `
    ${repeat(rows, (row) => `shared_sums[${row * workgroup}u + index] = sum${row};`)}
    workgroupBarrier();
    if (part > 0u) { return; }
    for (var other = 1u; other < ${parts}u; other++) {
      ${repeat(rows, (row) => `sum${row} += shared_sums[${row * workgroup}u + ${tileOutputs}u * other + lane];`)}
    }`

/**
 * The product of a packed weight, from x, codes, scales and zero points. Four neighbouring invocations
 * have four outputs. On a GPU a workgroup shares their words; a driver on the CPU has no use for barriers,
 * and each invocation goes through all words of its output.
 */
export const packedWgsl = (target: WgslTarget, sizes: PackedSizes): WgslCode | undefined => {
  const { rows, inputs, outputs, tiles, chunks, groups, bits } = sizes
  const parts = target.software ? 1 : workgroup / tileOutputs
  const tilesTogether = workgroup / (tileOutputs * parts)
  const workgroups = Math.ceil(tiles / tilesTogether)
  if (rows > mostRows || target.maximumInvocations < workgroup || workgroups > mostWorkgroups)
    return undefined
  const [x, codes, scales, zeros, result] = [0, 1, 2, 3, 4].map(target.operand)
  const words = chunks * bits
  const perWord = 32 / bits
  const input = (row: number, code: number) => {
    const value = `${x}[${row * inputs}u + at + ${code}u]`
    // What is behind the last input of the last row may be anything.
    return inputs % chunkInputs === 0 ? value : `select(0.0, ${value}, at + ${code}u < ${inputs}u)`
  }
  const multiplyCode = (code: number) => `
      {
        let weight = f32((word >> ${bits * code}u) & ${2 ** bits - 1}u) - zero;
        ${repeat(rows, (row) => `own${row} += weight * ${input(row, code)};`)}
      }`
  const code = `
  ${parts === 1 ? "" : `var<workgroup> shared_sums: array<f32, ${rows * workgroup}>;`}
  @compute @workgroup_size(${workgroup})
  fn main(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    let lane = index % ${tileOutputs}u;
    let part = (index / ${tileOutputs}u) % ${parts}u;
    let tile = id.x * ${tilesTogether}u + index / ${tileOutputs * parts}u;
    ${tiles % tilesTogether === 0 ? "" : `if (tile >= ${tiles}u) { return; }`}
    let output = ${tileOutputs}u * tile + lane;
    ${repeat(rows, (row) => `var sum${row} = 0.0;`)}
    for (var place = part; place < ${words}u; place += ${parts}u) {
      let group = place / ${words / groups}u;
      let word = ${codes}[(tile * ${words}u + place) * ${tileOutputs}u + lane];
      let zero = f32((${zeros}[tile * ${groups}u + group] >> (8u * lane)) & 255u);
      let scale = ${scales}[min(output, ${outputs - 1}u) * ${groups}u + group];
      let at = place * ${perWord}u;
      ${repeat(rows, (row) => `var own${row} = 0.0;`)}
      ${repeat(perWord, multiplyCode)}
      ${repeat(rows, (row) => `sum${row} += scale * own${row};`)}
    }
    ${parts === 1 ? "" : share(rows, parts)}
    ${outputs % tileOutputs === 0 ? "" : `if (output >= ${outputs}u) { return; }`}
    ${repeat(rows, (row) => `${result}[${row * outputs}u + output] = sum${row};`)}
  }`
  return { code, workgroups: [workgroups, 1, 1] }
}
