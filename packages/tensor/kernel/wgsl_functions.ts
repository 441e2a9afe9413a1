/**
 * WGSL functions for what the language leaves open: logarithms, exponentials and trigonometry whose
 * accuracy varies by orders of magnitude between drivers, error function and integer powers that
 * it lacks, NaN and infinity that it cannot write. Built of `+ × /` and bit operations, so that
 * every adapter gives nearly the same bits.
 *
 * Polynomials are minimax fits (Lawson iteration on Chebyshev nodes) made for this file; the error
 * named beside each is that of the polynomial, before rounding to `f32`.
 */
export type HelperName = keyof typeof functions

const define = (needs: ReadonlyArray<string>, code: string) => ({ needs, code: code.trim() })

const functions = {
  is_nan: define(
    [],
    `
fn is_nan(x: f32) -> bool {
  return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}`,
  ),
  special: define(
    [],
    `
var<private> special_bits: vec3<u32> = vec3<u32>(0x7f800000u, 0xff800000u, 0x7fc00000u);
fn special(which: u32) -> f32 {
  return bitcast<f32>(special_bits[which]);
}`,
  ),
  maximum_f32: define(
    ["is_nan"],
    `
fn maximum_f32(a: f32, b: f32) -> f32 {
  return select(max(a, b), a + b, is_nan(a) || is_nan(b));
}`,
  ),
  minimum_f32: define(
    ["is_nan"],
    `
fn minimum_f32(a: f32, b: f32) -> f32 {
  return select(min(a, b), a + b, is_nan(a) || is_nan(b));
}`,
  ),
  scale_f32: define(
    [],
    `
fn scale_f32(x: f32, exponent: i32) -> f32 {
  let half = exponent >> 1u;
  return x * bitcast<f32>((half + 127) << 23u) * bitcast<f32>((exponent - half + 127) << 23u);
}`,
  ),
  // e^r = 1 + r + r² P(r) on ± ln 2 / 2, 3.2e-9
  exp_f32: define(
    ["is_nan", "scale_f32"],
    `
fn exp_f32(x: f32) -> f32 {
  let y = clamp(x, -104.0f, 89.0f);
  let n = round(y * 1.44269504f);
  let r = (y - n * 0.693359375f) + n * 2.12194440e-4f;
  let p = 0.5f + r * (0.16666516661643982f + r * (0.04166620224714279f
    + r * (0.008369088172912598f + r * 0.001395083381794393f)));
  return select(scale_f32(1.0f + (r + r * r * p), i32(n)), x, is_nan(x));
}`,
  ),
  // ln(1 + f) = f - f² / 2 + f³ P(f) for 1 + f in [√½, √2], 5.9e-9; gives (exponent, f, tail)
  log_parts: define(
    [],
    `
fn log_parts(x: f32) -> vec3<f32> {
  let tiny = x < 1.1754943508222875e-38f;
  let bits = bitcast<u32>(select(x, x * 8388608.0f, tiny)) - 0x3f3504f3u;
  let exponent = f32(bitcast<i32>(bits) >> 23u) - select(0.0f, 23.0f, tiny);
  let f = bitcast<f32>((bits & 0x7fffffu) + 0x3f3504f3u) - 1.0f;
  let p = 0.33333316445350647f + f * (-0.25000810623168945f + f * (0.2000228613615036f
    + f * (-0.16624553501605988f + f * (0.14181196689605713f + f * (-0.13128767907619476f
    + f * (0.12881621718406677f - f * 0.07859545946121216f))))));
  return vec3<f32>(exponent, f, f * f * (f * p - 0.5f));
}`,
  ),
  log_f32: define(
    ["is_nan", "special", "log_parts"],
    `
fn log_f32(x: f32) -> f32 {
  if (is_nan(x) || bitcast<u32>(x) == 0x7f800000u) { return x; }
  if (x <= 0.0f) { return special(select(2u, 1u, x == 0.0f)); }
  let parts = log_parts(x);
  return parts.x * 0.693359375f + (parts.y + (parts.z - parts.x * 2.12194440e-4f));
}`,
  ),
  // 2^r = 1 + r P(r) on ± 1/2, 1.9e-9. The exponent times y is exact in two products.
  power_f32: define(
    ["is_nan", "special", "scale_f32", "log_parts"],
    `
fn power_f32(x: f32, y: f32) -> f32 {
  if (y == 0.0f || x == 1.0f) { return 1.0f; }
  if (is_nan(x) || is_nan(y)) { return x + y; }
  let magnitude = abs(x);
  let whole = trunc(y) == y;
  let odd = whole && abs(y) < 16777216.0f && (i32(y) & 1) == 1;
  let sign = select(1.0f, -1.0f, x < 0.0f && odd);
  if (magnitude == 0.0f) { return select(0.0f, special(0u), y < 0.0f) * sign; }
  if (x < 0.0f && !whole) { return special(2u); }
  let parts = log_parts(magnitude);
  let high = bitcast<f32>(bitcast<u32>(y) & 0xfffff000u);
  let exact = high * parts.x;
  let rest = (y - high) * parts.x + y * (parts.y + parts.z) * 1.44269504f;
  let total = exact + rest;
  if (total >= 128.0f) { return special(0u) * sign; }
  if (total <= -150.0f) { return 0.0f; }
  let n = round(total);
  let r = (exact - n) + rest;
  let p = 0.6931471824645996f + r * (0.24022650718688965f + r * (0.055503275245428085f
    + r * (0.009618005715310574f + r * (0.001340030925348401f + r * 0.000154759269207716f))));
  return scale_f32(1.0f + r * p, i32(n)) * sign;
}`,
  ),
  // Quadrant by four parts of π/2 of which three have 9 bits: exact for |x| below 51,000. Far beyond, what
  // is left is anything: it is kept in the quadrant, so that a sine never leaves [-1, 1].
  quadrant: define(
    ["is_nan"],
    `
fn quadrant(x: f32) -> vec2<f32> {
  let n = round(x * 0.6366197723675814f);
  let most = ((x - n * 1.5703125f) - n * 0.00048351287841796875f) - n * 3.1385570764541626e-7f;
  let r = most - n * 6.07710062827671e-11f;
  return vec2<f32>(n, select(clamp(r, -0.8f, 0.8f), r, is_nan(r)));
}`,
  ),
  // sin r = r + r³ P(r²) and cos r = 1 - r² / 2 + r⁴ Q(r²) on ± π/4, 3.7e-9 and 1e-10
  sine_of_quadrant: define(
    [],
    `
fn sine_of_quadrant(r: f32, n: i32) -> f32 {
  let z = r * r;
  let sine = r + r * z * (-0.16666655242443085f
    + z * (0.008332154713571072f - z * 0.000195140833966434f));
  let cosine = 1.0f - 0.5f * z + z * z * (0.04166664555668831f
    + z * (-0.0013887337408959866f + z * 0.000024434844817733392f));
  let value = select(sine, cosine, (n & 1) == 1);
  return select(value, -value, (n & 2) == 2);
}`,
  ),
  sin_f32: define(
    ["quadrant", "sine_of_quadrant"],
    `
fn sin_f32(x: f32) -> f32 {
  let q = quadrant(x);
  return sine_of_quadrant(q.y, i32(q.x));
}`,
  ),
  cos_f32: define(
    ["quadrant", "sine_of_quadrant"],
    `
fn cos_f32(x: f32) -> f32 {
  let q = quadrant(x);
  return sine_of_quadrant(q.y, i32(q.x) + 1);
}`,
  ),
  // tanh x = x + x³ P(x²) on ± 0.625, 4.1e-9
  tanh_f32: define(
    ["is_nan", "exp_f32"],
    `
fn tanh_f32(x: f32) -> f32 {
  let magnitude = min(abs(x), 10.0f);
  let z = x * x;
  let small = x + x * z * (-0.3333328366279602f + z * (0.13331490755081177f
    + z * (-0.05374349653720856f + z * (0.020650578662753105f - z * 0.005717036779969931f))));
  let large = 1.0f - 2.0f / (exp_f32(2.0f * magnitude) + 1.0f);
  let value = select(select(large, -large, x < 0.0f), small, magnitude < 0.625f);
  return select(value, x, is_nan(x));
}`,
  ),
  // erf x = x P(x²) below 0.95 (6.1e-10), 1 - e^Q(x) beyond (1.6e-9), 1 from 4 on
  erf_f32: define(
    ["is_nan", "exp_f32"],
    `
fn erf_f32(x: f32) -> f32 {
  let magnitude = min(abs(x), 4.0f);
  let z = magnitude * magnitude;
  let small = x * (1.128379225730896f + z * (-0.37612631916999817f + z * (0.11283663660287857f
    + z * (-0.026857705786824226f + z * (0.005196951795369387f + z * (-0.0008097702520899475f
    + z * 0.00008185090700862929f))))));
  let m = magnitude;
  let large = 1.0f - exp_f32(-0.0001766029017744586f + m * (-1.1277536153793335f
    + m * (-0.6370524168014526f + m * (-0.10404438525438309f + m * (0.022280778735876083f
    + m * (-0.003056617919355631f + m * 0.00019729409541469067f))))));
  let value = select(select(large, -large, x < 0.0f), small, magnitude < 0.95f);
  return select(value, x, is_nan(x));
}`,
  ),
  remainder_f32: define(
    [],
    `
fn remainder_f32(x: f32, y: f32) -> f32 {
  let divisor = abs(y);
  let magnitude = abs(x);
  var rest = magnitude - divisor * floor(magnitude / divisor);
  rest = select(rest, rest + divisor, rest < 0.0f);
  rest = select(rest, rest - divisor, rest >= divisor);
  return select(rest, -rest, x < 0.0f);
}`,
  ),
  divide_i32: define(
    [],
    `
fn divide_i32(a: i32, b: i32) -> i32 {
  return select(a / select(b, 1, b == 0), 0, b == 0);
}`,
  ),
  divide_u32: define(
    [],
    `
fn divide_u32(a: u32, b: u32) -> u32 {
  return select(a / select(b, 1u, b == 0u), 0u, b == 0u);
}`,
  ),
  remainder_i32: define(
    ["divide_i32"],
    `
fn remainder_i32(a: i32, b: i32) -> i32 {
  return select(a - divide_i32(a, b) * b, 0, b == 0);
}`,
  ),
  remainder_u32: define(
    [],
    `
fn remainder_u32(a: u32, b: u32) -> u32 {
  return select(a % select(b, 1u, b == 0u), 0u, b == 0u);
}`,
  ),
  power_u32: define(
    [],
    `
fn power_u32(base: u32, exponent: u32) -> u32 {
  var result = 1u;
  var square = base;
  for (var rest = exponent; rest != 0u; rest = rest >> 1u) {
    if ((rest & 1u) == 1u) { result = result * square; }
    square = square * square;
  }
  return result;
}`,
  ),
  power_i32: define(
    ["power_u32"],
    `
fn power_i32(base: i32, exponent: i32) -> i32 {
  if (exponent >= 0) { return bitcast<i32>(power_u32(bitcast<u32>(base), bitcast<u32>(exponent))); }
  if (base == 1) { return 1; }
  if (base == -1) { return select(1, -1, (exponent & 1) != 0); }
  return 0;
}`,
  ),
  // Drivers may take f32(f16(x)) for x: here f16() has nothing left to round. Half to even; below
  // 2^-14 the numbers of f16 are multiples of 2^-24.
  round_f16: define(
    [],
    `
fn round_f16(x: f32) -> f16 {
  let bits = bitcast<u32>(x);
  let magnitude = bits & 0x7fffffffu;
  var rounded = (magnitude + 0xfffu + ((magnitude >> 13u) & 1u)) & 0xffffe000u;
  if (magnitude < 0x38800000u) {
    let units = round(bitcast<f32>(magnitude) * 16777216.0f);
    rounded = bitcast<u32>(units * 5.9604644775390625e-8f);
  }
  if (rounded > 0x477fe000u) { rounded = select(0x7f800000u, magnitude, magnitude > 0x7f800000u); }
  return f16(bitcast<f32>(rounded | (bits & 0x80000000u)));
}`,
  ),
  to_i32: define(
    ["is_nan"],
    `
fn to_i32(x: f32) -> i32 {
  if (is_nan(x)) { return 0; }
  if (x >= 2147483648.0f) { return 2147483647; }
  return i32(max(x, -2147483648.0f));
}`,
  ),
  to_u32: define(
    ["is_nan"],
    `
fn to_u32(x: f32) -> u32 {
  if (is_nan(x)) { return 0u; }
  if (x >= 4294967296.0f) { return 4294967295u; }
  return u32(max(x, 0.0f));
}`,
  ),
} as const

/** WGSL text of the named functions and of those they call, each once, callees first. */
export const functionText = (names: Iterable<HelperName>): ReadonlyArray<string> => {
  const done = new Set<string>()
  const text: Array<string> = []
  const visit = (name: string): void => {
    if (done.has(name)) return
    done.add(name)
    const { needs, code }: { needs: ReadonlyArray<string>; code: string } =
      functions[name as HelperName]
    needs.forEach(visit)
    text.push(code)
  }
  for (const name of names) visit(name)
  return text
}
