import type { WgslCode, WgslTarget } from "@espalier/tensor"
import type { AttentionSizes } from "./shapes.ts"

/** Invocations of a workgroup. */
const lanes = 64
/** Longer heads would not fit in registers. */
const widest = 128
const maximumGroups = 65535

const unfit = ({ width }: AttentionSizes): boolean => width > widest

/** Spreads workgroups over two dimensions. */
const grid = (groups: number): readonly [number, number, number] => {
  const rows = Math.ceil(groups / maximumGroups)
  return [Math.ceil(groups / rows), rows, 1]
}

const positions = (groups: number): string => {
  const [across] = grid(groups)
  return `(group.y * ${across}u + group.x) * ${lanes}u + lane`
}

/**
 * The width of a head as a name. A driver on the CPU unrolls loops of known length at great expense
 * (a minute a kernel), so there it becomes known at run time only: no workgroup has a third coordinate.
 */
const widthOf = ({ software }: WgslTarget, { width }: AttentionSizes) =>
  software
    ? { declaration: "var<private> width: u32;", assignment: `width = ${width}u + group.z;` }
    : { declaration: `const width = ${width}u;`, assignment: "" }

const header = (target: WgslTarget, sizes: AttentionSizes): string => {
  const { batch, queries, keys, heads, keyValueHeads, scale } = sizes
  return `
const batch = ${batch}u;
const queries = ${queries}u;
const keys = ${keys}u;
const heads = ${heads}u;
const sharedHeads = ${keyValueHeads}u;
${widthOf(target, sizes).declaration}
const scale = ${Math.fround(scale)}f;
fn queryPlace(sample: u32, row: u32, head: u32) -> u32 {
  return ((sample * queries + row) * heads + head) * width;
}
fn keyPlace(sample: u32, row: u32, head: u32) -> u32 {
  return ((sample * keys + row) * sharedHeads + head) * width;
}
`
}

/** One invocation a query: its keys go by once, with a running maximum and sum. */
export const forwardShader = (target: WgslTarget, sizes: AttentionSizes): WgslCode | undefined => {
  if (unfit(sizes)) return undefined
  const { batch, queries, keys, heads, keyValueHeads, causal } = sizes
  const [query, key, value, output, logSum] = [0, 1, 2, 3, 4].map((i) => target.operand(i))
  const count = batch * queries * heads
  const groups = Math.ceil(count / lanes)
  const seen = causal ? `row + ${keys - queries + 1}u` : "keys"
  const code = `${header(target, sizes)}
@compute @workgroup_size(${lanes})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  ${widthOf(target, sizes).assignment}
  let position = ${positions(groups)};
  if (position >= ${count}u) { return; }
  let row = position % queries;
  let head = position / queries % heads;
  let sample = position / (queries * heads);
  let own = queryPlace(sample, row, head);
  var q: array<f32, ${sizes.width}>;
  var sums: array<f32, ${sizes.width}>;
  for (var i = 0u; i < width; i++) { q[i] = ${query}[own + i] * scale; }
  var most = -1e30f;
  var total = 0f;
  for (var k = 0u; k < ${seen}; k++) {
    let at = keyPlace(sample, k, head / ${heads / keyValueHeads}u);
    var score = 0f;
    for (var i = 0u; i < width; i++) { score += q[i] * ${key}[at + i]; }
    let next = max(most, score);
    let shrink = exp(most - next);
    let weight = exp(score - next);
    total = total * shrink + weight;
    for (var i = 0u; i < width; i++) { sums[i] = sums[i] * shrink + weight * ${value}[at + i]; }
    most = next;
  }
  for (var i = 0u; i < width; i++) { ${output}[own + i] = sums[i] / total; }
  ${logSum}[(sample * queries + row) * heads + head] = most + log(total);
}
`
  return { code, workgroups: grid(groups) }
}

/** Invocations for the queries first, then for the keys: each adds up what flows to it. */
export const backwardShader = (target: WgslTarget, sizes: AttentionSizes): WgslCode | undefined => {
  if (unfit(sizes)) return undefined
  const { batch, queries, keys, heads, keyValueHeads, causal, width } = sizes
  const names = Array.from({ length: 8 }, (_, i) => target.operand(i))
  const [query, key, value, flow, statistics, queryFlow, keyFlow, valueFlow] = names
  const queryCount = batch * queries * heads
  const queryGroups = Math.ceil(queryCount / lanes)
  const keyCount = batch * keys * keyValueHeads
  const groups = queryGroups + Math.ceil(keyCount / lanes)
  const repeats = heads / keyValueHeads
  const offset = keys - queries
  const seen = causal ? `row + ${offset + 1}u` : "keys"
  const first = causal ? `u32(max(0, i32(row) - ${offset}))` : "0u"
  const code = `${header(target, sizes)}
fn forQuery(position: u32) {
  let row = position % queries;
  let head = position / queries % heads;
  let sample = position / (queries * heads);
  let own = queryPlace(sample, row, head);
  let statistic = ((sample * queries + row) * heads + head) * 2u;
  let logSum = ${statistics}[statistic];
  let dots = ${statistics}[statistic + 1u];
  var q: array<f32, ${width}>;
  var g: array<f32, ${width}>;
  var sums: array<f32, ${width}>;
  for (var i = 0u; i < width; i++) {
    q[i] = ${query}[own + i];
    g[i] = ${flow}[own + i];
  }
  for (var k = 0u; k < ${seen}; k++) {
    let at = keyPlace(sample, k, head / ${repeats}u);
    var score = 0f;
    var slope = 0f;
    for (var i = 0u; i < width; i++) {
      score += q[i] * ${key}[at + i];
      slope += g[i] * ${value}[at + i];
    }
    let factor = exp(score * scale - logSum) * (slope - dots) * scale;
    for (var i = 0u; i < width; i++) { sums[i] += factor * ${key}[at + i]; }
  }
  for (var i = 0u; i < width; i++) { ${queryFlow}[own + i] = sums[i]; }
}
fn forKey(position: u32) {
  let row = position % keys;
  let head = position / keys % sharedHeads;
  let sample = position / (keys * sharedHeads);
  let own = keyPlace(sample, row, head);
  var k: array<f32, ${width}>;
  var v: array<f32, ${width}>;
  var keySums: array<f32, ${width}>;
  var valueSums: array<f32, ${width}>;
  for (var i = 0u; i < width; i++) {
    k[i] = ${key}[own + i];
    v[i] = ${value}[own + i];
  }
  for (var h = head * ${repeats}u; h < (head + 1u) * ${repeats}u; h++) {
    for (var r = ${first}; r < queries; r++) {
      let at = queryPlace(sample, r, h);
      var score = 0f;
      var slope = 0f;
      for (var i = 0u; i < width; i++) {
        score += k[i] * ${query}[at + i];
        slope += v[i] * ${flow}[at + i];
      }
      let statistic = ((sample * queries + r) * heads + h) * 2u;
      let weight = exp(score * scale - ${statistics}[statistic]);
      let factor = weight * (slope - ${statistics}[statistic + 1u]) * scale;
      for (var i = 0u; i < width; i++) {
        valueSums[i] += weight * ${flow}[at + i];
        keySums[i] += factor * ${query}[at + i];
      }
    }
  }
  for (var i = 0u; i < width; i++) {
    ${keyFlow}[own + i] = keySums[i];
    ${valueFlow}[own + i] = valueSums[i];
  }
}
@compute @workgroup_size(${lanes})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  ${widthOf(target, sizes).assignment}
  let position = ${positions(groups)};
  if (position < ${queryGroups * lanes}u) {
    if (position < ${queryCount}u) { forQuery(position); }
  } else if (position - ${queryGroups * lanes}u < ${keyCount}u) {
    forKey(position - ${queryGroups * lanes}u);
  }
}
`
  return { code, workgroups: grid(groups) }
}
