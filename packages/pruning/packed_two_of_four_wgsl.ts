import type { WgslCode, WgslTarget } from "@espalier/tensor"
import type { PackedSizes } from "./packed_two_of_four_sizes.ts"

/** More rows are better served by unpacking the weight once: `undefined`. */
const mostRows = 4

const workgroup = 64

/**
 * The product of a packed weight, from x, values and places. Four neighbouring invocations have four
 * outputs. On a GPU a workgroup shares their groups; a driver on the CPU has no use for barriers, and
 * each invocation goes through all groups of its output.
 */
export const packedWgsl = (target: WgslTarget, sizes: PackedSizes): WgslCode | undefined => {
  const { rows, tiles, groups } = sizes
  if (rows > mostRows || target.maximumInvocations < workgroup) return undefined
  const [x, values, places, , result] = [0, 1, 2, 3, 4].map(target.operand)
  const parts = target.software ? 1 : workgroup / 4
  const tilesTogether = workgroup / (4 * parts)
  const words = Math.ceil(groups / 2)
  const each = Array.from({ length: rows }, (_, row) => row)
  const store = (row: number, sum: string) =>
    `${result}[${row * 4 * tiles}u + 4u * tile + lane] = ${sum};`
  const finish =
    parts === 1
      ? each.map((row) => store(row, `sum${row}`)).join("\n")
      : `
    ${each.map((row) => `sums[${row * workgroup}u + index] = sum${row};`).join("\n")}
    workgroupBarrier();
    if (part == 0u) {
      ${each
        .map(
          (row) => `
      for (var other = 1u; other < ${parts}u; other++) {
        sum${row} += sums[${row * workgroup}u + 4u * other + lane];
      }
      ${store(row, `sum${row}`)}`,
        )
        .join("\n")}
    }`
  const code = `
  ${parts === 1 ? "" : `var<workgroup> sums: array<f32, ${rows * workgroup}>;`}
  @compute @workgroup_size(${workgroup})
  fn main(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    let lane = index % 4u;
    let part = (index / 4u) % ${parts}u;
    let tile = id.x * ${tilesTogether}u + index / ${4 * parts}u;
    ${tiles % tilesTogether === 0 ? "" : `if (tile >= ${tiles}u) { return; }`}
    ${each.map((row) => `var sum${row} = 0.0;`).join("\n")}
    for (var group = part; group < ${groups}u; group += ${parts}u) {
      let word = ${places}[tile * ${words}u + group / 2u] >> (16u * (group % 2u) + 2u * lane);
      let at = (tile * ${groups}u + group) * 8u + lane;
      let first = ${values}[at];
      let second = ${values}[at + 4u];
      let here = 4u * group + (word & 3u);
      let there = 4u * group + ((word >> 8u) & 3u);
      ${each
        .map((row) => {
          const from = `${row * 4 * groups}u`
          return `sum${row} += first * ${x}[${from} + here] + second * ${x}[${from} + there];`
        })
        .join("\n")}
    }
    ${finish}
  }`
  return { code, workgroups: [Math.ceil(tiles / tilesTogether), 1, 1] }
}
